import { expect, test } from '@jest/globals';
import { makeInstanceConfig } from '../../../executor/instance-config.js';
import { anImage, aSpec } from '../../support/executor.js';

test('the instance wins over its limits, and these over the image', () => {
  const image = anImage({ env: { A: 'image', PORT: '1', MEMORY_LIMIT: 'x', B: 'image' } });
  const spec = aSpec({ env: { A: 'mine', MEMORY_LIMIT: '7m' }, limits: { memory_mb: 64, disk_mb: 1, cpus: 1 } });
  expect(makeInstanceConfig(spec, image).env).toEqual({ A: 'mine', B: 'image', MEMORY_LIMIT: '7m', PORT: '8080' });
  const ports = [{ host_address: '127.0.0.1', host_port: 0, guest_port: 9, protocol: 'tcp' as const }];
  expect(makeInstanceConfig(aSpec({ ports }), image).env).toMatchObject({ PORT: '9', MEMORY_LIMIT: '64m' });
});

test('any text survives in the environment', () => {
  const env = { Q: `"'=,\n\\$HOME`, BIG: JSON.stringify('x'.repeat(100_000)), E: '🦄' };
  expect(makeInstanceConfig(aSpec({ env }), anImage()).env).toMatchObject(env);
});

test('argv comes from the process type, expanded only where it says so, or from the instance as it is', () => {
  const argv = ['/app/run', '$PORT'];
  const image = anImage({ processes: { web: { argv, cwd: '/app', expand: true }, raw: { argv, cwd: '/raw' } } });
  expect(makeInstanceConfig(aSpec(), image)).toMatchObject({ argv: ['/app/run', '8080'], cwd: '/app' });
  expect(makeInstanceConfig(aSpec({ process_type: 'raw' }), image)).toMatchObject({ argv, cwd: '/raw' });
  const own = makeInstanceConfig(aSpec({ argv: ['/bin/x', '$PORT'], process_type: 'none' }), image);
  expect(own).toMatchObject({ argv: ['/bin/x', '$PORT'], cwd: '/' });
  expect(makeInstanceConfig(aSpec({ cwd: '/tmp' }), image).cwd).toBe('/tmp');
});

test('a program named by a variable that is not set is refused', () => {
  const image = anImage({ processes: { web: { argv: ['$RUN', 'x'], cwd: '/', expand: true } } });
  expect(() => makeInstanceConfig(aSpec(), image)).toThrow('env: $RUN names the program to run, and is empty');
  expect(makeInstanceConfig(aSpec({ env: { RUN: '/app/x' } }), image).argv).toEqual(['/app/x', 'x']);
});

test.each([
  ['an unknown process type', aSpec({ process_type: 'toString' }), /"toString"; it has: web/],
  ['an empty argv', aSpec({ argv: [] }), /program to run is missing/],
  ['a name with =', aSpec({ env: { 'A=B': '' } }), /"A=B" is not a name/],
  ['a zero byte', aSpec({ env: { A: '\0' } }), /value of A holds a zero byte/],
])('refuses %s', (_why, spec, message) => {
  expect(() => makeInstanceConfig(spec, anImage())).toThrow(message);
  expect(() => makeInstanceConfig(spec, anImage())).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
