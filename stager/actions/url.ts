import { messageOf, UnikError, type ErrorCode } from '../../core/errors.js';

/** A URL taken apart so that its secrets go into a header and nowhere else. */
export interface Address {
  /** Without user and password; with its query, which may be signed. Not for people. */
  url: URL;
  authorization?: string;
  /** For messages: no user, no query. */
  shown: string;
}

/** Throws `code` for anything but http and https. */
export function parseAddress(text: string, code: ErrorCode, base?: URL): Address {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch (err) {
    // The text is not told: it may hold a password.
    throw new UnikError(code, `not a URL: ${messageOf(err)}`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UnikError(code, `${url.protocol}//${url.host}: only http and https can be used`);
  }
  const { username, password } = url;
  url.username = '';
  url.password = '';
  url.hash = '';
  const shown = `${url.origin}${url.pathname}`;
  if (username === '' && password === '') return { url, shown };
  const user = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { url, authorization: `Basic ${user.toString('base64')}`, shown };
}
