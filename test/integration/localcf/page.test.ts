/** The page over HTTP: who gets it, what the buttons take, what the events carry. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import { aCell, aPageApp, anInstance, HeldSource } from '../../support/cf/page-source.js';
import { servePage } from '../../support/cf/page-server.js';

let source: HeldSource;
let page: Awaited<ReturnType<typeof servePage>>;
let token: string;
const HTML = { accept: 'text/html,*/*;q=0.8' };

beforeAll(async () => {
  source = new HeldSource({ cells: [aCell], apps: [aPageApp([anInstance(0)])] });
  page = await servePage(source);
  const html = await (await request(page.url, { headers: HTML })).body.text();
  token = /name="unik-page" content="([\w-]{32})"/.exec(html)?.[1] ?? '';
});
afterAll(() => page.close());

describe('GET /', () => {
  test('a browser gets the page, and may load nothing from elsewhere', async () => {
    const reply = await request(page.url, { headers: HTML });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply.headers['content-security-policy']).toContain("default-src 'none'");
    expect(await reply.body.text()).toContain('<title>UniK: what runs here</title>');
    expect(token).not.toBe('');
  });

  test.each([{ accept: 'application/json' }, {}])('the CLI gets JSON: %j', async (headers) => {
    const reply = await request(page.url, { headers });
    expect(await reply.body.json()).toEqual({ links: {} });
  });

  test.each(['page.css', 'page.js', 'tile.js', 'console.js', 'format.js', 'icon.svg'])('/ui/%s', async (name) => {
    const reply = await request(`${page.url}/ui/${name}`);
    expect(reply.statusCode).toBe(200);
    expect((await reply.body.text()).length).toBeGreaterThan(100);
  });

  test.each(['index.html', 'nothing.js', '..%2fpage.ts', 'constructor'])('/ui/%s is nothing', async (name) => {
    expect((await request(`${page.url}/ui/${name}`)).statusCode).toBe(404);
  });

  test('a bent name is refused everywhere', async () => {
    for (const path of ['/', '/ui/events', '/ui/page.js']) {
      const headers = { host: 'evil.example', accept: HTML.accept };
      expect(await asked({ url: `${page.url}${path}`, headers })).toEqual({
        status: 403,
        body: 'this page is not served under that name\n',
      });
    }
  });
});

describe('buttons', () => {
  const press = (path: string, body: unknown, headers: Record<string, string> = { 'x-unik-page': token }) =>
    request(`${page.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('kill and scale', async () => {
    expect((await press('/ui/kill', { instance: 'machine-0' })).statusCode).toBe(204);
    expect((await press('/ui/scale', { process: 'process-1', instances: 3 })).statusCode).toBe(204);
    expect(source.killed).toEqual(['machine-0']);
    expect(source.scaled).toEqual([{ process: 'process-1', instances: 3 }]);
  });

  test.each<[why: string, path: string, body: unknown, status: number]>([
    ['what is not there', '/ui/kill', { instance: 'gone' }, 404],
    ['no instance', '/ui/kill', {}, 400],
    ['more than the page offers', '/ui/scale', { process: 'p', instances: 101 }, 400],
    ['less than none', '/ui/scale', { process: 'p', instances: -1 }, 400],
  ])('%s is refused with a code and a hint', async (_why, path, body, status) => {
    const reply = await press(path, body);
    expect(reply.statusCode).toBe(status);
    expect(await reply.body.json()).toEqual({
      code: expect.any(String),
      message: expect.any(String),
      hint: expect.any(String),
    });
  });

  test('without the token of the page, or from another page, nothing is done', async () => {
    const before = source.killed.length;
    for (const headers of [{}, { 'x-unik-page': 'x' }, { 'x-unik-page': token, origin: 'http://evil.example' }]) {
      expect((await press('/ui/kill', { instance: 'machine-0' }, headers)).statusCode).toBe(403);
    }
    expect(source.killed).toHaveLength(before);
  });

  test('a body is not even read before that', async () => {
    expect((await press('/ui/kill', 'no JSON', {})).statusCode).toBe(403);
  });
});

test('another user of this machine sees nothing', async () => {
  const url = `${page.url}/ui/page.js`;
  expect((await asked({ url })).status).toBe(200);
  // Only root can become somebody else.
  if (process.getuid?.() !== 0) return;
  const uid = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
  expect(await asked({ url, uid })).toEqual({ status: 403, body: 'this page is for the user who started it\n' });
});

describe('events', () => {
  test('the state at once and after a change, lines as they come; it ends when the browser goes', async () => {
    source.print({ instance: 'machine-0', text: 'before' });
    const gone = new AbortController();
    const reply = await request(`${page.url}/ui/events`, { signal: gone.signal });
    expect(reply.headers['content-type']).toMatch(/^text\/event-stream/);
    const seen: { event: string; data: unknown }[] = [];
    const reading = read(reply.body, seen);
    await until(() => seen.some(({ event }) => event === 'state'));
    expect(seen[0]).toEqual({ event: 'state', data: source.held });
    await until(() => textsOf(seen).includes('before'));

    source.print({ instance: 'machine-0', text: 'after' });
    await until(() => textsOf(seen).includes('after'));
    source.held = { cells: [], apps: [] };
    source.changed();
    await until(() => seen.some(({ event, data }) => event === 'state' && JSON.stringify(data).includes('"apps":[]')));

    // A flood is cut to its newest lines.
    for (let i = 0; i < 1_000; i++) source.print({ instance: 'machine-0', text: `flood ${i}` });
    await until(() => textsOf(seen).includes('flood 999'));
    expect(textsOf(seen).filter((text) => text.startsWith('flood')).length).toBeLessThan(1_000);

    gone.abort();
    await reading;
    await until(() => source.watchers === 0);
  });
});

function textsOf(seen: readonly { event: string; data: unknown }[]): string[] {
  return seen
    .filter(({ event }) => event === 'lines')
    .flatMap(({ data }) => (data as { text: string }[]).map(({ text }) => text));
}

async function read(body: AsyncIterable<unknown>, seen: { event: string; data: unknown }[]): Promise<void> {
  let text = '';
  try {
    for await (const chunk of body) {
      text += String(chunk);
      const whole = text.split('\n\n');
      text = whole.pop() ?? '';
      for (const message of whole) {
        const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(message) ?? [];
        seen.push({ event, data: JSON.parse(data) as unknown });
      }
    }
  } catch (err) {
    // How a request ends that was given up.
    expect((err as Error).name).toBe('AbortError');
  }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come to that within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const SCRIPT = `
  const { url, headers } = JSON.parse(process.argv[1]);
  require('node:http').get(url, { headers }, (reply) => {
    let body = '';
    reply.on('data', (data) => (body += data));
    reply.on('end', () => console.log(JSON.stringify({ status: reply.statusCode, body })));
  });`;

/** From a process of its own, with any Host header, and as another user where one is given. */
async function asked(what: { url: string; headers?: object; uid?: number }): Promise<{ status: number; body: string }> {
  const child = execFile(process.execPath, ['-e', SCRIPT, JSON.stringify({ headers: {}, ...what })], {
    cwd: '/',
    ...(what.uid === undefined ? {} : { uid: what.uid, gid: what.uid }),
  });
  let text = '';
  child.stdout?.on('data', (data: string) => (text += data));
  await once(child, 'close');
  return JSON.parse(text) as { status: number; body: string };
}
