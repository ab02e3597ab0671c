/** The page in a real browser that was never used before. UNIK_SCREENSHOTS names a folder for what it looked like. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromiumMissing, launchBrowser } from '../../support/cf/browser.js';
import { aCell, aPageApp, anInstance, HeldSource } from '../../support/cf/page-source.js';
import { servePage } from '../../support/cf/page-server.js';

jest.setTimeout(60_000);
/** Run in the browser, whose types this program does not have: as text. */
const TOO_FAINT = readFileSync(fileURLToPath(new URL('../../support/cf/contrast.js', import.meta.url)), 'utf8');
const BOX = "document.querySelector('#console-lines')";
const FOCUSED = "document.activeElement?.getAttribute('aria-label')";

const missing = chromiumMissing();
if (missing !== undefined) process.stderr.write(`skipped: the page in a browser: ${missing}\n`);
const inBrowser = missing === undefined ? describe : describe.skip;

inBrowser('the page in a browser', () => {
  let source: HeldSource;
  let server: Awaited<ReturnType<typeof servePage>>;
  let browser: Browser;
  let context: BrowserContext | undefined;
  let tab: Page;
  const faults: string[] = [];

  const three = () =>
    aPageApp([
      anInstance(0),
      anInstance(1, { state: 'STARTING', boot_ms: null, memory_bytes: null, since: Date.now() }),
      anInstance(2, { state: 'CRASHED', guid: null, boot_ms: null, memory_bytes: null, details: 'Exit status 1' }),
    ]);
  async function open(options: { scheme?: 'light' | 'dark'; reducedMotion?: boolean } = {}): Promise<void> {
    context = await browser.newContext({
      viewport: { width: 1280, height: 860 },
      colorScheme: options.scheme ?? 'dark',
      reducedMotion: options.reducedMotion === true ? 'reduce' : 'no-preference',
    });
    tab = await context.newPage();
    tab.on('pageerror', (err) => faults.push(String(err)));
    tab.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await tab.goto(server.url);
    await tab.locator('#link[data-link="live"]').waitFor();
  }
  const shot = async (name: string): Promise<void> => {
    const folder = process.env['UNIK_SCREENSHOTS'];
    if (folder !== undefined) await tab.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  };
  const tile = (index: number) => tab.locator('.tile').nth(index);

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  beforeEach(async () => {
    source = new HeldSource({ cells: [aCell], apps: [three()] });
    server = await servePage(source);
    faults.length = 0;
  });
  afterEach(async () => {
    await context?.close();
    context = undefined;
    await server.close();
    // No script failed, and nothing was kept from loading.
    expect(faults).toEqual([]);
  });
  afterAll(() => browser.close());

  test('apps and machines: state, boot time, memory, image, guest and provider', async () => {
    source.print({ instance: 'machine-0', text: 'GET / 200' });
    await open();
    await tile(2).waitFor();
    expect(await tab.locator('.name').allTextContents()).toEqual(['hello']);
    expect(await tab.locator('.facts').innerText()).toBe(
      ['stack unik', 'linux on qemu', 'image 3f2a91c07d4e, 2.1 MB', 'org / dev'].join('\n'),
    );
    expect(await tab.getByRole('link', { name: 'hello.127.0.0.1.nip.io:8080' }).getAttribute('href')).toBe(
      'http://hello.127.0.0.1.nip.io:8080',
    );
    const text = await tile(0).innerText();
    for (const part of ['running', '#0', '1.42 s', 'to boot', '23.0 MB of 64.0 MB', 'GET / 200', 'up 1 min']) {
      expect(text).toContain(part);
    }
    expect(await tile(1).innerText()).toMatch(/booting[\s\S]*\d\.\d\d s[\s\S]*so far/);
    expect(await tile(2).innerText()).toContain('Exit status 1');
    expect(await tab.locator('#cells').textContent()).toBe('cell cell-1: unik, 384 MB of 4.0 GB taken');
    await shot('machines');
  });

  test('what changes is drawn and told, and who reads with the ears hears it', async () => {
    await open();
    await tile(0).waitFor();
    const list = [anInstance(0, { guid: 'another', boot_ms: 980 })];
    source.held = { cells: [aCell], apps: [aPageApp(list)] };
    source.changed();
    await tab
      .locator('#news', { hasText: 'hello instance 0: running, booted in 0.98 s' })
      .waitFor({ state: 'attached' });
    expect(await tile(0).locator('.more').textContent()).toContain('replaced once');
    // Not waitForFunction: it evaluates a string, which the page's own policy forbids.
    await tile(1).waitFor({ state: 'detached' });
    expect(await tab.locator('.tile').count()).toBe(1);
    source.held = { cells: [], apps: [] };
    source.changed();
    await tab.getByRole('heading', { name: 'Nothing runs yet' }).waitFor();
    expect(await tab.locator('#news').textContent()).toBe('hello is gone');
    await shot('empty');
  });

  test('the console: live, whole, escaped, and it follows only at its end', async () => {
    for (let i = 0; i < 150; i++) source.print({ instance: 'machine-0', text: `line ${i}` });
    await open();
    await tab.getByRole('button', { name: 'Console of hello instance 0' }).click();
    const log = tab.getByRole('log', { name: 'hello #0' });
    await log.getByText('line 149', { exact: true }).waitFor();
    expect(await log.locator('.line').count()).toBe(150);
    source.print({ instance: 'machine-0', text: '<img src=x onerror=alert(1)>', error: true });
    await log.getByText('<img src=x onerror=alert(1)>').waitFor();
    const gap = () => tab.evaluate(`(${BOX}.scrollHeight - ${BOX}.scrollTop - ${BOX}.clientHeight)`);
    expect(await gap()).toBeLessThan(24);
    await shot('console');
    await tab.evaluate(`${BOX}.scrollTop = 0`);
    source.print({ instance: 'machine-0', text: 'later' });
    await log.getByText('later').waitFor({ state: 'attached' });
    expect(await gap()).toBeGreaterThan(100);
    await tab.keyboard.press('Escape');
    expect(await tab.locator('dialog').isVisible()).toBe(false);
    expect(await tab.evaluate(FOCUSED)).toBe('Console of hello instance 0');
  });

  test('staging shows its log', async () => {
    source.held.apps = [aPageApp([], { staging: true, started: false })];
    source.print({ text: '-----> UniK buildpack', source: 'STG' });
    await open();
    await tab.getByRole('log', { name: 'Staging log' }).getByText('-----> UniK buildpack').waitFor();
    await shot('staging');
  });

  test('kill and scale, by the keyboard alone', async () => {
    await open();
    await tile(0).waitFor();
    const press = async (name: string): Promise<void> => {
      // From the top, as far as Tab has to go.
      await tab.evaluate('document.activeElement?.blur()');
      for (let i = 0; i < 40; i++) {
        await tab.keyboard.press('Tab');
        if ((await tab.evaluate(FOCUSED)) === name) {
          await tab.keyboard.press('Enter');
          return;
        }
      }
      throw new Error(`Tab does not lead to "${name}"`);
    };
    await press('One instance more of hello');
    await press('Kill hello instance 0');
    await tile(0)
      .locator('.state', { hasText: /^killing$/ })
      .waitFor();
    expect(source.killed).toEqual(['machine-0']);
    expect(source.scaled).toEqual([{ process: 'process-1', instances: 4 }]);
    expect(await tab.locator('.wanted').textContent()).toBe('4');
    // Pressed twice, killed once.
    await press('Kill hello instance 0');
    expect(source.killed).toEqual(['machine-0']);
  });

  test('a refusal is told, and what was not done is not shown', async () => {
    source.held.apps = [aPageApp([anInstance(0, { guid: 'gone' })])];
    await open();
    await tab.getByRole('button', { name: 'Kill hello instance 0' }).click();
    await tab.locator('#news', { hasText: 'there is no machine gone' }).waitFor({ state: 'attached' });
    expect(await tile(0).locator('.state').textContent()).toBe('running');
    // The browser itself notes the status of such an answer.
    expect(faults.splice(0).every((text) => text.includes('404'))).toBe(true);
  });

  test('it comes back by itself when the server does', async () => {
    await open();
    await server.close();
    await tab.locator('#link[data-link="waiting"]').waitFor();
    server = await servePage(source, server.port);
    await tab.locator('#link[data-link="live"]').waitFor({ timeout: 30_000 });
    faults.length = 0;
  });

  test.each(['dark', 'light'] as const)('every text can be read: %s', async (scheme) => {
    source.print({ instance: 'machine-0', text: 'out' });
    source.print({ instance: 'machine-0', text: 'err', error: true });
    source.print({ instance: 'machine-0', text: 'cell', source: 'CELL' });
    source.held.apps.push(aPageApp([], { guid: 'app-2', staging: true }));
    // Without motion, so that nothing is measured half faded.
    await open({ scheme, reducedMotion: true });
    await tile(0).getByText('err').waitFor();
    expect(await tab.evaluate(TOO_FAINT)).toEqual([]);
    await shot(scheme);
  });

  test('who wants no motion gets none', async () => {
    await open({ reducedMotion: true });
    await tile(0).waitFor();
    const moving = "document.getAnimations().filter(({ playState }) => playState === 'running').length";
    expect(await tab.evaluate(moving)).toBe(0);
  });

  test('on a small screen nothing is wider than it', async () => {
    await open();
    await tab.setViewportSize({ width: 360, height: 740 });
    expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    await shot('small');
  });
});
