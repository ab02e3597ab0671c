import { systemClock } from '../../core/clock.js';
import { noLog } from '../../core/log.js';
import { QemuProvider } from '../../executor/providers/qemu/qemu.js';

/** A provider over a home of the test's own. */
export function makeProvider(home: string, path = process.env['PATH'] ?? ''): QemuProvider {
  return new QemuProvider({
    home,
    clock: systemClock,
    log: noLog,
    path,
    accelerator: 'tcg',
  });
}
