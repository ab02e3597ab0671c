/** One application of each language that staging knows, as the bits of a push, and what it answers. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { buildKernel, EXPECTED, fixtureApp, type FixtureApp } from '../fixture-apps.js';
import { zipOf, zipped } from './bits.js';

interface LanguageApp {
  /** The zip that a push uploads. `work`: a folder to build in. */
  bits: (work: string) => Promise<Buffer>;
  body: string;
  memory_mb: number;
}

/** Written by the push; others come with what compilers of this host make of the fixtures. */
const PYTHON = `import http.server, os
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"python says hello\\n")
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
`;

export const LANGUAGES = {
  static: fixture('static', 64),
  'node-bare': fixture('node-bare', 96),
  python: {
    bits: () =>
      zipped([
        { name: 'requirements.txt', content: '# nothing to install\n' },
        { name: 'Procfile', content: 'web: python3 server.py\n' },
        { name: 'server.py', content: PYTHON },
      ]),
    body: 'python says hello\n',
    memory_mb: 64,
  },
  go: fixture('go', 64),
  java: fixture('java', 256),
  binary: fixture('binary', 64, 'web: ./server\n'),
  kernel: {
    bits: async (work) => zipOf(buildKernel(await mkdtemp(join(work, 'kernel-')))),
    body: 'kernel says hello\n',
    memory_mb: 32,
  },
} satisfies Record<string, LanguageApp>;
export type Language = keyof typeof LANGUAGES;

/** `procfile`: added to what the fixture has. */
function fixture(name: Exclude<FixtureApp, 'node-deps' | 'python'>, memory_mb: number, procfile?: string): LanguageApp {
  const built = new Map<string, Promise<Buffer>>();
  const build = async (work: string): Promise<Buffer> => {
    const folder = fixtureApp(name, await mkdtemp(join(work, `${name}-`)));
    return zipOf(folder, procfile === undefined ? [] : [{ name: 'Procfile', content: procfile }]);
  };
  return {
    // Once: what a compiler makes twice need not be the same bits.
    bits: (work) => {
      const there = built.get(work) ?? build(work);
      built.set(work, there);
      return there;
    },
    body: EXPECTED[name].body,
    memory_mb,
  };
}
