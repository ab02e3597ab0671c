import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PROGRAM = '/usr/bin/chromium';
/** Nothing that speaks to the network by itself. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const chromiumMissing = (): string | undefined =>
  existsSync(PROGRAM) ? undefined : "there is no chromium: install Debian's package of that name";

/** A browser that has never been used: in a new folder, which goes when it is closed. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: PROGRAM, headless: true, args: FLAGS });
