import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Sandboxed } from '../../../support/sandboxed.js';

let box: Sandboxed;
beforeAll(async () => {
  box = await Sandboxed.make();
});
afterAll(() => box.remove());

describe('a job', () => {
  test('runs as nobody of the host, with no capability, in its own folder', async () => {
    const { out, err, code, ended_by } = await box.run(
      'id; cat /proc/self/uid_map; grep -E "Cap|NoNew|Seccomp:" /proc/self/status; pwd; ls -la /proc/self/fd; ls /; ls -la /etc; echo hi >file; env; mount; cat /proc/1/cmdline; ulimit -a;cat /proc/self/cgroup',
    );
    console.log(out, err);
    expect({ code, ended_by }).toEqual({ code: 0, ended_by: 'itself' });
  });
  test('doctor', async () => {
    console.log(await box.sandbox.doctor());
  });
});
