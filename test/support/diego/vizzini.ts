import { execa } from 'execa';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readReport, type Spec } from '../ginkgo.js';
import { peer } from '../peers.js';
import type { Diego } from './diego.js';

export interface VizziniOptions {
  diego: Diego;
  /** `http://127.0.0.1:PORT` of the router: apps are asked for by Host header, through it as an HTTP proxy. */
  router_url: string;
  /** Where routes end. Default `vizzini.test`; nothing resolves it. */
  suffix?: string;
  /** Regular expressions over a spec's full text: only these, and never those. */
  focus?: readonly string[];
  skip?: readonly string[];
  /** Names that lead to an address for the suite, and for nobody else. */
  hosts?: Readonly<Record<string, string>>;
  /** Default `preloaded:unik`. */
  rootfs?: string;
  max_task_retries?: number;
  /** How long one expectation waits. Default 2 min: a machine boots slower than a container. */
  eventually_ms?: number;
  /** Of the whole run. Default 30 min. */
  timeout_ms?: number;
  signal?: AbortSignal;
}

/**
 * Runs Diego's acceptance suite against a Diego and its cells; all its specs, in order. Needs root. The app its specs download
 * (peer `grace`, a static program) is served on loopback meanwhile. Throws when the suite gave no report.
 */
export async function runVizzini(options: VizziniOptions): Promise<Spec[]> {
  const dir = await mkdtemp(join(tmpdir(), 'unik-vizzini-'));
  const grace = await serveGrace(dir);
  try {
    const config = join(dir, 'config.json');
    await writeFile(config, JSON.stringify(vizziniConfig(options, grace)));
    const report = join(dir, 'report.json');
    const { eventually_ms = 120_000, timeout_ms = 1_800_000 } = options;
    const args = [
      '-ginkgo.no-color',
      `-ginkgo.json-report=${report}`,
      `-ginkgo.timeout=${timeout_ms}ms`,
      `-test.timeout=${timeout_ms + 60_000}ms`,
      ...(options.focus ?? []).map((text) => `-ginkgo.focus=${text}`),
      ...(options.skip ?? []).map((text) => `-ginkgo.skip=${text}`),
    ];
    const hosts = join(dir, 'hosts');
    const names = Object.entries({ localhost: '127.0.0.1', ...options.hosts });
    await writeFile(hosts, names.map(([name, address]) => `${address} ${name}\n`).join(''));
    const program = ['--pdeathsig', 'SIGKILL', '--', peer('vizzini.test'), ...args];
    // A hosts file of its own, in a mount namespace of its own.
    const inside = ['--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec setpriv "$@"', hosts, ...program];
    const done = await execa('unshare', inside, {
      cwd: dir,
      env: {
        VIZZINI_CONFIG_PATH: config,
        DEFAULT_EVENTUALLY_TIMEOUT: `${eventually_ms}ms`,
        HTTP_PROXY: options.router_url,
        NO_PROXY: '127.0.0.1,localhost',
      },
      all: true,
      reject: false,
      timeout: timeout_ms + 90_000,
      ...(options.signal ? { cancelSignal: options.signal } : {}),
    });
    return readReport(await readFile(report, 'utf8').catch(() => fail(done.all)));
  } finally {
    grace.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function fail(output: string): never {
  throw new Error(`vizzini gave no report:\n${output.slice(-4_096)}`);
}

function vizziniConfig(options: VizziniOptions, grace: Grace): object {
  const { diego, suffix = 'vizzini.test', rootfs = 'preloaded:unik', max_task_retries = 3 } = options;
  return {
    bbs_address: diego.bbs_url,
    bbs_client_cert_path: diego.certs.cert,
    bbs_client_key_path: diego.certs.key,
    // No cell of ours has a shell; the suite wants the key all the same.
    ssh_address: '127.0.0.1:1',
    ssh_password: '',
    routable_domain_suffix: suffix,
    host_addresss: '127.0.0.1',
    enable_declarative_healthcheck: true,
    enable_container_proxy_tests: false,
    enable_privileged_container_tests: false,
    rep_placement_tags: [],
    max_task_retries,
    default_rootfs: rootfs,
    grace_tarball_url: grace.url,
    grace_tarball_checksum: grace.sha1,
    grace_busybox_image_url: '',
    diego_docker_oci_image_url: '',
    file_server_address: grace.base,
  };
}

interface Grace {
  base: string;
  url: string;
  sha1: string;
  close: () => void;
}

/** The app's tarball, with the program at its root; every other path is 404. */
async function serveGrace(dir: string): Promise<Grace> {
  await cp(peer('grace'), join(dir, 'grace'));
  await execa('tar', ['-czf', 'grace.tgz', 'grace'], { cwd: dir });
  const tarball = await readFile(join(dir, 'grace.tgz'));
  const server = createServer((request, response) => {
    if (request.url !== '/grace.tgz') response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': tarball.length, 'content-type': 'application/gzip' }).end(tarball);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { base, url: `${base}/grace.tgz`, sha1: createHash('sha1').update(tarball).digest('hex'), close };
}
