import { DEFAULT_PORT } from '../../executor/images/base.js';
import type { ImageFinding } from '../../executor/images/image.js';
import type { Rule } from './subject.js';
import { capabilitiesOf } from './capabilities.js';

/** Programs whose only work is to start several others, by way of a shell. */
const LAUNCHERS = new Set(
  'concurrently npm-run-all npm-run-all2 run-p run-s foreman honcho nf forego goreman overmind supervisord s6-svscan'.split(
    ' ',
  ),
);
/** Servers made of a master and workers, and the remedy for each. */
const PREFORKING: Readonly<Record<string, string>> = {
  gunicorn: 'Use a server that is one process: waitress (`waitress-serve --port=$PORT app:app`) or uvicorn.',
  uwsgi: 'Use waitress or uvicorn, which are one process.',
  celery: 'Start it with `--pool=threads` or `--pool=solo`.',
  unicorn: 'Use puma with `workers 0`.',
  passenger: 'Use puma with `workers 0`.',
  'php-fpm': 'There is no server for PHP that is one process.',
  nginx: 'Start it with `-g "daemon off; master_process off;"`.',
  httpd: 'Serve the files with a program that is one process.',
  apache2: 'Serve the files with a program that is one process.',
  pm2: 'Start the program itself: `node FILE`.',
  'pm2-runtime': 'Start the program itself: `node FILE`.',
};
/** Servers that are one process until an option asks for more. */
const WORKERS = /(?:^|\s)(?:--workers?|-w|--processes|--num-workers)(?:\s+|=)(\d+)/;
const FORK_PACKAGES = ['pm2', 'forever', 'throng', 'cluster-service', 'nodemon', 'execa', 'cross-spawn'];

/** A droplet without `web` cannot be started by Cloud Foundry. */
export const web: Rule = ({ commands, needsWeb }) => {
  if (!needsWeb || commands['web'] !== undefined) return [];
  const types = Object.keys(commands).join(', ');
  return [
    refused(
      'web_missing',
      `no process type is called web (there are: ${types})`,
      'Add a line `web: PROGRAM ARGS` to the Procfile.',
    ),
  ];
};

/** Several programs in one machine, started by one whose work that is. */
export const launchers: Rule = ({ processes, commands, hasShell }) =>
  Object.entries(processes).flatMap(([type, { argv }]) => {
    const name = namesOf(argv).find((word) => LAUNCHERS.has(word));
    if (name === undefined || hasShell) return [];
    return [
      refused(
        'several_programs',
        `the process ${type} (${commands[type] ?? name}) starts several programs through ${name}`,
        'Give each program a process type of its own: one line of the Procfile each.',
        { symbol: name },
      ),
    ];
  });

/** Master and workers, on a guest that has one process. */
export const workers: Rule = ({ guest, processes, commands }) => {
  if (capabilitiesOf(guest).fork) return [];
  return Object.entries(processes).flatMap(([type, { argv }]) => {
    const line = commands[type] ?? argv.join(' ');
    // `php-fpm8.1` and `nginx.conf`-like names apart: versions after the name are the same program.
    const name = namesOf(argv).find((word) => Object.hasOwn(PREFORKING, word));
    const count = Number(WORKERS.exec(argv.join(' '))?.[1] ?? 0);
    const isSingle = name === 'nginx' && /master_process\s+off/.test(line);
    if ((name === undefined || isSingle) && count <= 1) return [];
    const what =
      name === undefined ? `asks for ${count} worker processes` : `is ${name}, a master with worker processes`;
    return [
      refused(
        'fork_unsupported',
        `the process ${type} (${line}) ${what}; the guest ${guest} has a single process`,
        `${(name === undefined ? undefined : PREFORKING[name]) ?? 'Ask for one worker, with threads.'} Or set UNIK_GUEST=linux.`,
        { symbol: name ?? 'fork' },
      ),
    ];
  });
};

/** Packages whose purpose is to start other programs. */
export const packages: Rule = ({ guest, packages: names }) => {
  if (capabilitiesOf(guest).fork) return [];
  return names
    .filter((name) => FORK_PACKAGES.includes(name))
    .map((name) => ({
      level: 'warning',
      code: 'starts_programs',
      message: `the package ${name} starts other programs, which fails on the guest ${guest}`,
      file: 'package.json',
      symbol: name,
      remedy: 'Leave it out, or set UNIK_GUEST=linux.',
    }));
};

const PORT_OPTIONS = [
  /(?:^|\s)(?:--?port|--http-port|--server\.port|-Dserver\.port|-Dhttp\.port|-p|-l|--listen)(?:\s+|=)(?:tcp:\/\/)?(\d{2,5})(?=\s|$)/,
  /(?:^|\s)(?:-b|--bind|--listen|--host|-a|--addr|-H)(?:\s+|=)\S*?:(\d{2,5})(?=\s|$)/,
  /(?:^|\s)(?:\d{1,3}(?:\.\d{1,3}){3}|localhost|)?:(\d{2,5})(?=\s|$)/,
  /(?:^|\s)PORT=(\d{2,5})(?=\s)/,
];
const LOOPBACK = /(?:^|[\s=/])(?:127\.0\.0\.1|localhost|\[::1\])(?=[:\s]|$)/;

/** A listening port in the command: traffic and health checks go to `$PORT`. */
export const port: Rule = ({ commands }) => {
  const line = commands['web'];
  if (line === undefined) return [];
  const findings: ImageFinding[] = [];
  const literal = PORT_OPTIONS.map((option) => option.exec(line)?.[1]).find((found) => found !== undefined);
  if (literal !== undefined) {
    const same = Number(literal) === DEFAULT_PORT;
    findings.push({
      level: same ? 'info' : 'warning',
      code: 'listens_on_fixed_port',
      message: `the command names the port ${literal} itself${same ? '' : `; traffic comes to $PORT, which is ${DEFAULT_PORT}`}`,
      symbol: literal,
      remedy: 'Write $PORT in its place.',
    });
  }
  const loopback = LOOPBACK.exec(line)?.[0].trim();
  if (loopback !== undefined) {
    findings.push({
      level: 'warning',
      code: 'listens_on_loopback',
      message: `the command names the address ${loopback.replace(/^[=/]/, '')}, which nothing outside the machine reaches`,
      remedy: 'Listen on 0.0.0.0.',
    });
  }
  return findings;
};

/** Names a process may be known by: of its program, of the script behind an interpreter, of a module after `-m`. */
function namesOf(argv: readonly string[]): string[] {
  const [program = '', ...rest] = argv;
  const words = rest.filter((word) => !word.startsWith('-'));
  // `bundle exec NAME` is NAME, loaded by bundler into its own process.
  const isBundle = /(^|\/)bundler?$/.test(words[0] ?? '') && words[1] === 'exec';
  const script = (isBundle ? words[2] : words[0]) ?? '';
  const parts = script.split('/').filter((part) => part !== '');
  const from = parts.indexOf('node_modules');
  // node_modules/concurrently/dist/bin/concurrently.js: the package's name tells.
  const inPackage = from === -1 ? [] : parts.slice(from + 1, from + 3);
  return [program.split('/').at(-1) ?? '', parts.at(-1) ?? '', ...inPackage].map((name) =>
    name.replace(/\.(m?js|cjs|py|rb|sh)$/, '').replace(/^(php-fpm)[\d.]+$/, '$1'),
  );
}

function refused(code: string, message: string, remedy: string, more: Partial<ImageFinding> = {}): ImageFinding {
  return { level: 'refused', code, message, remedy, ...more };
}
