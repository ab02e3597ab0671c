import { UnikError } from '../../core/errors.js';
import { addHostFileAt } from '../../executor/images/host-files.js';
import type { ImageFinding } from '../../executor/images/image.js';
import type { Arch } from '../../executor/model.js';
import { hostArch } from '../arch.js';
import { STATIC_SERVER_ARM64_BASE64 } from './static-server-arm64-code.js';
import { STATIC_SERVER_BASE64 } from './static-server-code.js';
import type { SourceTree } from '../source.js';
import type { Built, Toolchain } from './toolchain.js';

const SERVER = '/usr/bin/busybox';
const CONFIG = '/etc/httpd.conf';
const OWN_SERVER = '/usr/bin/unik-static';
const OWN_SERVERS: Record<Arch, string> = { x86_64: STATIC_SERVER_BASE64, aarch64: STATIC_SERVER_ARM64_BASE64 };

/**
 * A folder of files behind busybox httpd: one small static program that Debian keeps, that needs 2 MB of memory,
 * knows ETags and ranges, says each request on its console and ends on SIGTERM.
 */
export const staticToolchain: Toolchain = {
  name: 'static',
  programs: ['httpd'],
  detect: (source) => ['Staticfile', 'index.html'].find((name) => source.kind(name) === 'file'),

  async build({ source, which, progress, oneProcess, arch }) {
    const folder = rootOf(source.read('Staticfile') ?? '') ?? '.';
    if (source.kind(folder) !== 'folder') {
      throw new UnikError('program_missing', `the Staticfile names the folder ${folder}, which does not exist`);
    }
    if (oneProcess || arch !== hostArch()) {
      return { ...byOwnServer(folder, arch, progress), findings: notRun(source, folder) };
    }
    const busybox = which('busybox');
    if (busybox === undefined) {
      throw new UnikError('toolchain_missing', 'static files are served by busybox httpd: install busybox-static');
    }
    progress(`Static files in ${folder === '.' ? 'the folder itself' : folder}, served by busybox httpd`);
    const notFound = source.kind(`${folder}/404.html`) === 'file' ? 'E404:404.html\n' : '';
    return {
      commands: { web: `httpd -f -v -p "$PORT" -c ${CONFIG} -h '${folder.replaceAll("'", "'\\''")}'` },
      programs: { httpd: ['/usr/bin/httpd'] },
      elf: [busybox],
      env: {},
      ignore: ['/Staticfile'],
      async add(tree) {
        addHostFileAt(tree, busybox, SERVER);
        tree.symlink('/usr/bin/httpd', 'busybox');
        tree.file(CONFIG, TYPES + notFound);
      },
    };
  },
};

/**
 * busybox starts a process for each request, and this host's is for its own processor: where there is one process, and for
 * another processor, our own small server answers requests in turn.
 */
function byOwnServer(folder: string, arch: Arch, progress: (line: string) => void): Built {
  progress(`Static files in ${folder === '.' ? 'the folder itself' : folder}, served by our server of one process`);
  return {
    commands: { web: `unik-static '${folder.replaceAll("'", "'\\''")}' "$PORT"` },
    programs: { 'unik-static': [OWN_SERVER] },
    elf: [],
    env: {},
    ignore: ['/Staticfile'],
    add: async (tree) => tree.file(OWN_SERVER, Buffer.from(OWN_SERVERS[arch], 'base64'), 0o755),
  };
}

/** busybox makes pages by programs of `cgi-bin`; a server of one process gives the programs themselves. */
function notRun(source: SourceTree, folder: string): ImageFinding[] {
  if (source.kind(`${folder}/cgi-bin`) !== 'folder') return [];
  return [
    {
      level: 'warning',
      code: 'cgi_unsupported',
      message: 'programs in cgi-bin are not run here: their text is served',
      remedy: 'Use UNIK_GUEST=linux on a stack of the processor of the stager, or make the pages beforehand.',
    },
  ];
}

/** `root: FOLDER` of a Staticfile, as the Cloud Foundry buildpack knows it. */
function rootOf(staticfile: string): string | undefined {
  return /^root:\s*(\S.*?)\s*$/m.exec(staticfile)?.[1]?.replace(/^["']|["']$/g, '');
}

/** What busybox does not know by itself. */
const TYPES = Object.entries({
  avif: 'image/avif',
  csv: 'text/csv',
  ico: 'image/x-icon',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  md: 'text/markdown; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  mp4: 'video/mp4',
  otf: 'font/otf',
  pdf: 'application/pdf',
  svg: 'image/svg+xml',
  ttf: 'font/ttf',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  webm: 'video/webm',
  webmanifest: 'application/manifest+json',
  webp: 'image/webp',
  woff: 'font/woff',
  woff2: 'font/woff2',
  xml: 'text/xml',
})
  .map(([extension, type]) => `.${extension}:${type}\n`)
  .join('');
