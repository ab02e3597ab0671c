/** Passwords as `scrypt$salt$hash`; codes and passwords made at random. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, Buffer>(scrypt);
const BYTES = 32;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, BYTES);
  return `scrypt$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Takes as long for a user who does not exist (null) as for a wrong password. */
export async function passwordFits(password: string, kept: string | null): Promise<boolean> {
  const [, salt = '', hash = ''] = (kept ?? '').split('$');
  const wanted = Buffer.alloc(BYTES);
  Buffer.from(hash, 'base64url').copy(wanted);
  const got = await derive(password, Buffer.from(salt, 'base64url'), BYTES);
  return timingSafeEqual(got, wanted) && hash !== '';
}

/** Of letters and digits, so that it can be typed and pasted into any shell. */
export function randomSecret(characters = 24): string {
  let text = '';
  while (text.length < characters)
    text += randomBytes(32)
      .toString('base64')
      .replaceAll(/[^A-Za-z0-9]/g, '');
  return text.slice(0, characters);
}

/** Of two secrets of any length, in a time that tells nothing. */
export function sameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
