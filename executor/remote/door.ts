import { createHmac, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { hasCode, UnikError } from '../../core/errors.js';
import type { Key } from '../model.js';

/** The port on which a guest without virtio-serial ports takes commands. */
export const DOOR_PORT = 9967;

/** A token for each instance, from one secret of this home: nothing of it needs to be kept with the instance. */
export class DoorTokens {
  #secret: Promise<Buffer> | undefined;
  constructor(private readonly home: string) {}

  async of(key: Key): Promise<string> {
    this.#secret ??= ownSecret(join(this.home, 'door.key'));
    return createHmac('sha256', await this.#secret)
      .update(key)
      .digest('hex');
  }
}

async function ownSecret(path: string): Promise<Buffer> {
  try {
    await writeFile(path, randomBytes(32), { mode: 0o600, flag: 'wx' });
  } catch (err) {
    if (!hasCode(err, 'EEXIST')) throw err;
  }
  const secret = await readFile(path);
  if (secret.length !== 32) throw new UnikError('internal', `${path} is no key of ours`);
  return secret;
}

/**
 * Says one command to the guest's init (docs/guest-protocol.md): it greets with a nonce, and takes what is sealed with
 * nonce and token. False: nobody answered, or not in the right way.
 */
export function sayToGuest(
  to: { address: string; token: string; timeout_ms: number },
  command: unknown,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: to.address, port: DOOR_PORT });
    let heard = '';
    const done = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(false), to.timeout_ms);
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      const nonce = /^unik 1 ([0-9a-f]{32})\n/.exec(heard)?.[1];
      if (nonce === undefined) return;
      if (/(ok|no)\n$/.test(heard)) {
        done(heard.endsWith('ok\n'));
        return;
      }
      const text = JSON.stringify(command);
      const seal = createHmac('sha256', to.token).update(`${nonce}${text}`).digest('hex');
      socket.write(`${seal} ${text}\n`);
    });
  });
}
