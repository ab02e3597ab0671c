import { readSome } from '../../../core/read-some.js';
import type { StreamName } from '../../model.js';
import type { ConsoleChunk, ConsolePosition } from '../provider.js';
import { FILES } from './args.js';
import { Changes } from './changes.js';
import type { MachineFolder } from './record.js';

export const STREAM_FILES = { kernel: FILES.serial, stdout: FILES.out, stderr: FILES.err } as const satisfies Record<
  StreamName,
  string
>;
const STREAMS = Object.keys(STREAM_FILES) as StreamName[];

/** The kernel tells us about writes; should it not (a full queue), we look anyway. */
const TICK_MS = 30_000;

/** What is in the console files from `from` on, then what is added, until the machine has ended and all is read. */
export async function* tail(
  folder: MachineFolder,
  from: ConsolePosition,
  ended: Promise<void>,
  signal: AbortSignal,
): AsyncIterable<ConsoleChunk> {
  const position: Record<StreamName, number> = { kernel: 0, stdout: 0, stderr: 0, ...from };
  const changes = new Changes(folder.vm);
  const over = new AbortController();
  const finish = (): void => {
    over.abort();
    changes.wake();
  };
  void ended.then(finish, finish);
  try {
    for (;;) {
      // Read after the end was seen, so that nothing written before it is missed.
      const last = over.signal.aborted;
      for (const stream of STREAMS) {
        for await (const chunk of rest(folder, stream, position[stream])) {
          position[stream] = chunk.end;
          yield chunk;
          signal.throwIfAborted();
        }
      }
      if (last) return;
      await changes.next(TICK_MS, signal);
      signal.throwIfAborted();
    }
  } finally {
    changes.close();
  }
}

/** The bytes of one stream from `start` to its present end. */
async function* rest(folder: MachineFolder, stream: StreamName, start: number): AsyncIterable<ConsoleChunk> {
  const file = await folder.openVm(STREAM_FILES[stream]);
  if (!file) return;
  try {
    for (let at = start; ;) {
      const { buffer, bytesRead } = await readSome(file, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield { stream, bytes: buffer.subarray(0, bytesRead), end: at };
    }
  } finally {
    await file.close();
  }
}
