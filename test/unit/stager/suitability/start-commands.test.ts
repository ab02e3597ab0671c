/** Start commands of Cloud Foundry applications, as they fare on a guest with one process: run, rewritten or refused. */
import { expect, test } from '@jest/globals';
import { resolveCommand } from '../../../../stager/resolve.js';
import { judge, refusalOf } from '../../../../stager/suitability/judge.js';
import { pickGuest } from '../../../../stager/suitability/pick.js';
import { UnikError } from '../../../../core/errors.js';
import { ERRORS } from '../../../../core/errors.js';
import { guests } from '../../../../executor/guests/index.js';
import { GUESTS, type GuestName } from '../../../../executor/model.js';
import type { Program } from '../../../../stager/suitability/subject.js';
import { fakeSource } from '../../../support/fake-source.js';

const files = {
  'package.json': JSON.stringify({
    scripts: { start: 'node server.js --port $PORT', hooked: 'node a.js', prehooked: 'node b.js' },
  }),
  'server.js': '',
  'app.py': '',
  'bin/app': '\x7fELF',
  'node_modules/.bin/tool': '#!/usr/bin/env node\n',
  '.python_packages/bin/gunicorn': '#!/usr/bin/python3\n',
  '.python_packages/bin/uvicorn': '#!/usr/bin/python3\n',
  'run.sh': '#!/bin/sh\n',
};
const context = {
  app: fakeSource(files),
  programs: {
    node: ['/usr/local/bin/node'],
    python: ['/usr/bin/python3'],
    python3: ['/usr/bin/python3'],
    java: ['/opt/java/bin/java'],
    nginx: ['/usr/sbin/nginx'],
    php: ['/usr/bin/php'],
    'php-fpm8.2': ['/usr/sbin/php-fpm8.2'],
    ruby: ['/usr/bin/ruby'],
    rackup: ['/usr/bin/ruby', '/usr/bin/rackup'],
    puma: ['/usr/bin/ruby', '/usr/bin/puma'],
    unicorn: ['/usr/bin/ruby', '/usr/bin/unicorn'],
    bundle: ['/usr/bin/ruby', '/usr/bin/bundle'],
  },
  path: ['node_modules/.bin', '.python_packages/bin'],
};

type Verdict = { argv: string[] } | { refused: string; words: string };

function fate(line: string, guest: GuestName, programs: Program[] = []): Verdict {
  try {
    const resolved = resolveCommand(line, context);
    const subject = {
      guest,
      commands: { web: line },
      processes: { web: resolved },
      programs,
      setuid: [],
      packages: [],
      hasShell: false,
      needsWeb: true,
    };
    const findings = judge(subject);
    const refusal = refusalOf(findings);
    if (!refusal) return { argv: resolved.argv };
    return { refused: refusal.code, words: findings[0]?.remedy ?? '' };
  } catch (err) {
    if (!(err instanceof UnikError)) throw err;
    return { refused: err.code, words: ERRORS[err.code].hint };
  }
}

test.each<[line: string, argv: string[]]>([
  ['npm start', ['/usr/local/bin/node', 'server.js', '--port']],
  ['yarn start', ['/usr/local/bin/node', 'server.js', '--port']],
  ['npx tool', ['/usr/local/bin/node', '/home/vcap/app/node_modules/.bin/tool']],
  ['node -r ./x.js server.js', ['/usr/local/bin/node', '-r']],
  ['python app.py', ['/usr/bin/python3', 'app.py']],
  ['python -m flask run', ['/usr/bin/python3', '-m', 'flask', 'run']],
  ['uvicorn a:app --port $PORT', ['/usr/bin/python3', '/home/vcap/app/.python_packages/bin/uvicorn']],
  ['java -jar app.jar', ['/opt/java/bin/java', '-jar', 'app.jar']],
  ['./bin/app --port=$PORT', ['/home/vcap/app/bin/app']],
  ['exec ./bin/app', ['/home/vcap/app/bin/app']],
  ['A=1 ./bin/app', ['/home/vcap/app/bin/app']],
  ['cd bin && ./app', ['/home/vcap/app/bin/app']],
  ['bash -c "./bin/app"', ['/home/vcap/app/bin/app']],
  ['nginx -g "daemon off; master_process off;"', ['/usr/sbin/nginx', '-g']],
  ['php -S 0.0.0.0:$PORT', ['/usr/bin/php', '-S']],
  ['rackup -p $PORT', ['/usr/bin/ruby', '/usr/bin/rackup', '-p']],
  ['bundle exec rackup -p $PORT', ['/usr/bin/ruby', '/usr/bin/bundle', 'exec', 'rackup']],
  ['bundle exec rails s', ['/usr/bin/ruby', '/usr/bin/bundle', 'exec', 'rails']],
  ['bundle exec puma -t 5:5', ['/usr/bin/ruby', '/usr/bin/bundle', 'exec', 'puma']],
  // A self-contained .NET program, and one of Rust: files that start themselves.
  ['cd bin && exec ./app --urls=http://0.0.0.0:$PORT', ['/home/vcap/app/bin/app', '--urls=http://0.0.0.0:${PORT}']],
  ['./bin/app', ['/home/vcap/app/bin/app']],
])('%s runs, or is rewritten to what runs', (line, start) => {
  const verdict = fate(line, 'unikraft');
  expect('argv' in verdict ? verdict.argv.slice(0, start.length) : verdict).toEqual(start);
});

test.each<[line: string, code: string]>([
  ['npm run hooked', 'command_needs_shell'],
  ['gunicorn app:app', 'fork_unsupported'],
  ['gunicorn -w 4 app:app', 'fork_unsupported'],
  ['uvicorn a:app --workers 4', 'fork_unsupported'],
  ['nginx', 'fork_unsupported'],
  ['php-fpm8.2', 'fork_unsupported'],
  ['JAVA_OPTS=$(calculator) && exec java -jar app.jar', 'command_needs_shell'],
  ['./bin/app | tee log', 'command_needs_shell'],
  ['./run.sh', 'command_needs_shell'],
  ['perl app.pl', 'program_missing'],
  ['dotnet app.dll', 'program_missing'],
  ['unicorn -p 8080', 'fork_unsupported'],
  ['bundle exec unicorn', 'fork_unsupported'],
  ['bundle exec puma -w 2', 'fork_unsupported'],
  ['php-fpm8.2 -F & nginx', 'command_needs_shell'],
])('%s is refused as %s, with a remedy', (line, code) => {
  const verdict = fate(line, 'unikraft');
  expect(verdict).toMatchObject({ refused: code });
  expect(verdict).toHaveProperty('words', expect.stringMatching(/^[A-Z].{15,}\.$/));
});

/** Masters with workers: refused where there is one process, and nowhere else. */
const MANY = [
  'gunicorn app:app',
  'uvicorn a:app --workers 4',
  'nginx',
  'php-fpm8.2',
  'bundle exec puma -w 2',
  'unicorn',
];

const fixed: Program = {
  path: '/home/vcap/app/bin/app',
  from: 'app',
  isStarted: true,
  positionIndependent: false,
  calls: [],
};

/** Those that run applications; the rest are their own. */
const RUNNING = GUESTS.filter((guest) => guests[guest].capabilities.files);

test.each(RUNNING.flatMap((guest) => MANY.map((line) => [guest, line] as const)))(
  'on %s: %s, by whether it can fork',
  (guest, line) => {
    const verdict = fate(line, guest);
    if (guests[guest].capabilities.fork) expect(verdict).toHaveProperty('argv');
    else
      expect(verdict).toMatchObject({ refused: 'fork_unsupported', words: expect.stringMatching(/UNIK_GUEST=linux/) });
  },
);

// A program of .NET or Go as it is built by default elsewhere, an old one of C.
test.each(RUNNING.map((guest) => [guest, guests[guest].capabilities.onlyPositionIndependent] as const))(
  'a program for a fixed address on %s: refused %s, as its capabilities say',
  (guest, refused) => {
    expect(fate('./bin/app', guest, [fixed])).toMatchObject(
      refused ? { refused: 'not_position_independent' } : { argv: [fixed.path] },
    );
  },
);

test.each<[why: string, choice: GuestName[], program: Partial<Program>, guest: GuestName, told: RegExp]>([
  [
    'the smallest that suits',
    ['unikraft', 'nanos', 'linux'],
    { positionIndependent: true },
    'unikraft',
    /the smallest that suits/,
  ],
  [
    'the next where it cannot be loaded',
    ['unikraft', 'nanos', 'linux'],
    {},
    'nanos',
    /not unikraft, as .* fixed address/,
  ],
  [
    'linux for one that starts others',
    ['unikraft', 'nanos', 'linux'],
    { positionIndependent: true, calls: ['fork'] },
    'linux',
    /not unikraft.*not nanos/,
  ],
  ['the only one', ['linux'], { calls: ['fork'] }, 'linux', /why/],
])('%s', (_why, candidates, program, guest, told) => {
  const subject = {
    commands: { web: './bin/app' },
    processes: { web: { argv: [fixed.path] } },
    setuid: [],
    packages: [],
    hasShell: false,
    needsWeb: false,
  };
  const picked = pickGuest({ candidates, asked: false, why: 'why' }, (name) =>
    judge({ ...subject, guest: name, programs: [{ ...fixed, ...program }] }),
  );
  expect(picked.guest).toBe(guest);
  expect(picked.why).toMatch(told);
});
