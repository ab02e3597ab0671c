import { describe, expect, test } from '@jest/globals';
import { GUESTS, type GuestName } from '../../../../executor/model.js';
import { findingLine, judge, refusalOf } from '../../../../stager/suitability/judge.js';
import type { Program, Subject } from '../../../../stager/suitability/subject.js';

function subject(more: Partial<Subject> & { web?: string } = {}): Subject {
  const { web = 'node server.js', ...rest } = more;
  const commands = rest.commands ?? { web };
  return {
    guest: 'linux',
    commands,
    processes: Object.fromEntries(Object.entries(commands).map(([type, line]) => [type, { argv: line.split(' ') }])),
    programs: [],
    setuid: [],
    packages: [],
    hasShell: false,
    needsWeb: true,
    ...rest,
  };
}

const program = (more: Partial<Program> = {}): Program => ({
  path: '/home/vcap/app/server',
  from: 'app',
  isStarted: true,
  positionIndependent: true,
  calls: [],
  ...more,
});

describe('judge', () => {
  test('nothing speaks against an ordinary program, on any guest', () => {
    for (const guest of GUESTS) expect(judge(subject({ guest, programs: [program()] }))).toEqual([]);
  });

  test.each<[why: string, subject: Subject, level: string, code: string, remedy: RegExp, symbol?: string]>([
    ['no web', subject({ commands: { worker: 'node w.js' } }), 'refused', 'web_missing', /web: PROGRAM/],
    [
      'a launcher of several programs',
      subject({ web: '/usr/local/bin/node /home/vcap/app/node_modules/concurrently/dist/bin/concurrently.js a b' }),
      'refused',
      'several_programs',
      /process type of its own/,
      'concurrently',
    ],
    ['a launcher by name', subject({ web: 'foreman start' }), 'refused', 'several_programs', /Procfile/, 'foreman'],
    [
      'gunicorn on a library OS',
      subject({ guest: 'unikraft', web: '/usr/bin/python3 /home/vcap/app/.python_packages/bin/gunicorn -w 4 app:app' }),
      'refused',
      'fork_unsupported',
      /waitress.*UNIK_GUEST=linux/,
      'gunicorn',
    ],
    [
      'workers by an option',
      subject({ guest: 'nanos', web: 'python3 -m uvicorn --workers 3 a:b' }),
      'refused',
      'fork_unsupported',
      /one worker/,
    ],
    [
      'a program for a fixed address',
      subject({ guest: 'unikraft', programs: [program({ positionIndependent: false })] }),
      'refused',
      'not_position_independent',
      /-pie/,
    ],
    [
      'fork in the application’s own program',
      subject({ guest: 'osv', programs: [program({ calls: ['accept', 'fork', 'execve'] })] }),
      'warning',
      'starts_programs',
      /threads/,
      'fork,execve',
    ],
    [
      'clone by its name',
      subject({ guest: 'nanos', programs: [program({ calls: ['clone'] })] }),
      'warning',
      'starts_programs',
      /threads/,
      'clone',
    ],
    [
      'fork in a runtime',
      subject({ guest: 'osv', programs: [program({ from: 'runtime', calls: ['fork'] })] }),
      'info',
      'starts_programs',
      /UNIK_GUEST=linux/,
      'fork',
    ],
    [
      'a line for a shell that is not there',
      subject({ programs: [program({ calls: ['system'] })] }),
      'warning',
      'uses_shell',
      /execve/,
      'system',
    ],
    [
      'what a library OS does not have',
      subject({ guest: 'unikraft', programs: [program({ calls: ['inotify_init1'] })] }),
      'warning',
      'function_unsupported',
      /Do without/,
      'inotify_init1',
    ],
    [
      'a package that starts programs',
      subject({ guest: 'unikraft', packages: ['express', 'pm2'] }),
      'warning',
      'starts_programs',
      /Leave it out/,
      'pm2',
    ],
    ['another port', subject({ web: 'node s.js --port 3000' }), 'warning', 'listens_on_fixed_port', /\$PORT/, '3000'],
    [
      'another port in -b',
      subject({ web: 'gunicorn -b 0.0.0.0:5000 a' }),
      'warning',
      'listens_on_fixed_port',
      /\$PORT/,
      '5000',
    ],
    [
      'a port by its variable',
      subject({ web: 'PORT=3000 node s.js' }),
      'warning',
      'listens_on_fixed_port',
      /\$PORT/,
      '3000',
    ],
    ['the usual port', subject({ web: 'node s.js -p 8080' }), 'info', 'listens_on_fixed_port', /\$PORT/, '8080'],
    [
      'the loopback',
      subject({ web: 'flask run -h 127.0.0.1 -p $PORT' }),
      'warning',
      'listens_on_loopback',
      /0\.0\.0\.0/,
    ],
    ['setuid', subject({ setuid: ['/home/vcap/app/su'] }), 'warning', 'setuid_dropped', /Nothing/],
  ])('%s', (_why, given, level, code, remedy, ...[symbol]) => {
    const found = judge(given);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ level, code, ...(symbol === undefined ? {} : { symbol }) });
    expect(found[0]?.remedy).toMatch(remedy);
  });

  test.each<[why: string, given: Partial<Subject> & { web?: string }]>([
    ['gunicorn with workers', { web: 'gunicorn -w 4 app:app' }],
    ['fork and exec', { programs: [program({ calls: ['fork', 'execve', 'vfork'] })] }],
    ['a fixed address', { programs: [program({ positionIndependent: false })] }],
    ['pm2', { packages: ['pm2'] }],
    ['inotify', { programs: [program({ calls: ['inotify_init1'] })] }],
  ])('the Linux guest allows %s', (_why, given) => {
    expect(judge(subject(given))).toEqual([]);
  });

  test.each([
    'node a.js $PORT',
    'java -jar a.jar --server.port=$PORT',
    'node a.js --since 12:30 --ratio 16:9 x:y',
    'waitress-serve --port=${PORT} a:b',
  ])('no port is seen in %s', (web) => expect(judge(subject({ web }))).toEqual([]));

  test('nginx in one process is no master with workers', () => {
    const web = 'nginx -g "daemon off; master_process off;"';
    expect(judge(subject({ guest: 'unikraft', web }))).toEqual([]);
    expect(judge(subject({ guest: 'unikraft', web: 'nginx' }))[0]?.code).toBe('fork_unsupported');
  });

  test('a shell in the image answers what needs one', () => {
    expect(
      judge(subject({ hasShell: true, web: 'foreman start', programs: [program({ calls: ['system'] })] })),
    ).toEqual([]);
  });

  test('the worst comes first, and is the error', () => {
    const given = subject({ commands: { worker: 'foreman start' }, setuid: ['/x'] });
    const found = judge(given);
    expect(found.map(({ level }) => level)).toEqual(['refused', 'refused', 'warning']);
    const refusal = refusalOf(found);
    expect(refusal?.code).toBe('web_missing');
    expect(refusal?.message).toMatch(/no process type is called web .*; the process worker/);
    expect(refusalOf(found.slice(2))).toBeUndefined();
    expect(found.map(findingLine)[2]).toMatch(/^Warning: \/x would run as another user/);
  });

  test('every refusal has a code of the table, whatever the guest', () => {
    const all: GuestName[] = [...GUESTS];
    const found = all.flatMap((guest) =>
      judge(
        subject({
          guest,
          commands: { a: 'gunicorn', b: 'foreman' },
          programs: [program({ positionIndependent: false })],
        }),
      ),
    );
    for (const one of found.filter(({ level }) => level === 'refused')) expect(refusalOf([one])?.code).toBe(one.code);
  });
});
