import { VERSION } from '../../core/version.js';
import type { GobType, GobValue } from './gob/types.js';

const VERSION_TYPE: GobType = {
  struct: 'VersionType',
  fields: [
    ['Major', 'int'],
    ['Minor', 'int'],
    ['Build', 'int'],
  ],
};
const USAGE: GobType = {
  struct: 'Usage',
  fields: [
    ['Usage', 'string'],
    ['Options', { map: { key: 'string', value: 'string' }, name: 'map[string]string' }],
  ],
};
const COMMAND: GobType = {
  struct: 'Command',
  fields: [
    ['Name', 'string'],
    ['Alias', 'string'],
    ['HelpText', 'string'],
    ['UsageDetails', USAGE],
  ],
};

/** What the CLI reads of a plugin when it is installed. Source: cloudfoundry/cli `plugin/plugin.go`. */
export const PLUGIN_METADATA: GobType = {
  struct: 'PluginMetadata',
  fields: [
    ['Name', 'string'],
    ['Version', VERSION_TYPE],
    ['LibraryVersion', VERSION_TYPE],
    ['MinCliVersion', VERSION_TYPE],
    ['Commands', { slice: COMMAND, name: '[]main.Command' }],
  ],
};

export interface CommandText {
  name: 'enable-unik' | 'disable-unik' | 'unik-apps';
  alias: string;
  help: string;
  usage: string;
  /** Without dashes: the CLI writes them. */
  options: Readonly<Record<string, string>>;
}

export const COMMANDS: readonly CommandText[] = [
  {
    name: 'enable-unik',
    alias: '',
    help: 'Run an app as unikernels, one virtual machine for each instance, instead of containers',
    usage: [
      'cf enable-unik APP_NAME [ENDPOINT] [--provider PROVIDER] [--guest GUEST]',
      '',
      'EXAMPLES:',
      '   cf enable-unik my-app                               the stack "unik", the default provider of this foundation',
      '   cf enable-unik my-app --provider aws                the stack "unik-aws"',
      '   cf enable-unik my-app http://unik.example.com:3000  the stack that this unik daemon or cell serves',
    ].join('\n'),
    options: {
      provider: 'Where the machines run, such as qemu, aws or vsphere: the stack unik-PROVIDER',
      guest: 'Which kind of unikernel the app becomes, such as linux, nanos or unikraft (sets UNIK_GUEST)',
    },
  },
  {
    name: 'disable-unik',
    alias: '',
    help: 'Run an app as containers again, on the stack it had before enable-unik',
    usage: 'cf disable-unik APP_NAME',
    options: {},
  },
  {
    name: 'unik-apps',
    alias: 'unik-status',
    help: 'List the apps of the space that run as unikernels: stack, guest, provider, image, boot time',
    usage: 'cf unik-apps [--json]',
    options: { json: 'Print a JSON array instead of a table' },
  },
];

/** The value of PLUGIN_METADATA. `process_types`, features used: none that a CLI before 8 lacks. */
export function pluginMetadata(): GobValue {
  const [Major = 0, Minor = 0, Build = 0] = VERSION.split(/[.+-]/).map(Number);
  return {
    Name: 'unik',
    Version: { Major, Minor, Build },
    LibraryVersion: {},
    MinCliVersion: { Major: 8 },
    Commands: COMMANDS.map(({ name, alias, help, usage, options }) => ({
      Name: name,
      Alias: alias,
      HelpText: help,
      UsageDetails: { Usage: usage, Options: new Map(Object.entries(options)) },
    })),
  };
}
