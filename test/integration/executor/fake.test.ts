import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import { createFakeProvider } from '../../../executor/providers/fake/index.js';
import type { MachineSpec } from '../../../executor/providers/provider.js';
import { providerContract, type MachineKind } from '../../contract/provider.js';

const knobs: Record<MachineKind, Record<string, string>> = {
  web: { FAKE_BOOT_DELAY_MS: '20' },
  exit3: { FAKE_STDOUT: 'one\ntwo\n', FAKE_STDERR: 'oops\n', FAKE_EXIT_AFTER_MS: '10', FAKE_EXIT_CODE: '3' },
  deaf: { FAKE_DEAF: '1' },
  'ignores-term': { FAKE_IGNORES_TERM: '1' },
  chatty: { FAKE_LINES: '500', FAKE_LINES_PER_S: '1000', FAKE_EXIT_AFTER_MS: '600' },
};

function makeSpec(kind: MachineKind, who: { key: string; owner: string }): MachineSpec {
  const published = kind === 'web' || kind === 'deaf';
  return {
    ...who,
    name: kind,
    limits: { memory_mb: 32, disk_mb: 0, cpus: 1 },
    ram_mb: 32,
    boot: { guest: 'linux', arch: 'x86_64', kernel: '', cmdline: '', disks: [], channels: { kind: 'serial' } },
    ports: published ? [{ host_address: '127.0.0.1', host_port: 0, guest_port: 8080, protocol: 'tcp' }] : [],
    network: { mode: 'none', dns: [], egress: { deny: [] } },
    config: {
      schema: 1,
      argv: ['/app'],
      cwd: '/',
      env: { SECRET: 'hunter2-hunter2', ...knobs[kind] },
      hostname: kind,
      mounts: [],
      files: {},
    },
  };
}

providerContract('fake', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'unik-fake-'));
  const open = () => createFakeProvider({ dir, clock: systemClock, log: noLog });
  return {
    provider: open(),
    makeSpec,
    reopen: open,
    leftovers: () => readdir(dir),
    close: () => rm(dir, { recursive: true }),
  };
});
