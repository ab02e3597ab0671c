import type { InstanceConfig, InstanceNet } from '../../model.js';
import { dotted } from '../net-words.js';

/**
 * rumprun's configuration. Its reader takes a key again and again, one `env` for each variable, which no JSON object
 * can say: so the text is made here. Source: rumprun, doc/config.md (2020).
 */
export function rumpConfig({ argv, env, hostname, net }: InstanceConfig): string {
  const pairs: [string, unknown][] = [
    ['rc', [{ bin: argv[0] ?? '', argv }]],
    ['hostname', hostname],
    ...Object.entries(env).map(([name, value]): [string, unknown] => ['env', `${name}=${value}`]),
    ...network(net),
  ];
  return `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${ascii(JSON.stringify(value))}`).join(',')}}`;
}

function network({ mode, address, gateway }: InstanceNet): [string, unknown][] {
  if (mode === 'none') return [];
  const card = { if: 'vioif0', type: 'inet' };
  if (mode === 'dhcp' || address === undefined) return [['net', { ...card, method: 'dhcp' }]];
  const { address: addr, prefix } = dotted(address);
  return [
    [
      'net',
      { ...card, method: 'static', addr, mask: String(prefix), ...(gateway === undefined ? {} : { gw: gateway }) },
    ],
  ];
}

/** The command line is read byte by byte: other characters are escaped, as JSON allows. */
function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
