import { execa } from 'execa';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { peer } from '../peers.js';
import { Child, freePorts } from './children.js';

export interface Postgres {
  /** `postgres://...`, without TLS, loopback only. */
  url: (database: string) => string;
  close(): Promise<void>;
}

/** A private cluster in a folder of its own, with the databases named. Nothing in it outlives a test, so nothing is synced. */
export async function startPostgres(databases: readonly string[]): Promise<Postgres> {
  const bin = dirname(peer('postgres'));
  const dir = await mkdtemp(join(tmpdir(), 'unik-postgres-'));
  try {
    return await startCluster(bin, dir, databases);
  } catch (err) {
    await rm(dir, { recursive: true, force: true });
    throw err;
  }
}

async function startCluster(bin: string, dir: string, databases: readonly string[]): Promise<Postgres> {
  const data = join(dir, 'data');
  const user = await ordinaryUser();
  if (user) await chown(dir, user.uid, user.gid);
  await execa(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'diego', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    {
      cwd: '/',
      timeout: 60_000,
      ...user,
    },
  );
  const [port = 0] = await freePorts(1);
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${dir}`,
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    'max_connections=200',
    'shared_buffers=32MB',
  ];
  const child = new Child({
    name: 'postgres',
    file: join(bin, 'postgres'),
    args: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    log: join(dir, 'postgres.log'),
    cwd: '/',
    // Fast shutdown: the default waits for clients to leave.
    end: 'SIGINT',
    ready: async () =>
      (await execa(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)], { reject: false })).exitCode === 0,
    ...user,
  });
  await child.start();
  const url = (database: string): string => `postgres://diego@127.0.0.1:${port}/${database}?sslmode=disable`;
  try {
    await createDatabases(bin, port, databases);
  } catch (err) {
    await child.stop();
    throw err;
  }
  const close = async (): Promise<void> => {
    await child.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { url, close };
}

async function createDatabases(bin: string, port: number, names: readonly string[]): Promise<void> {
  const statements = names.flatMap((name) => ['-c', `CREATE DATABASE ${name}`]);
  await execa(
    join(bin, 'psql'),
    ['-X', '-h', '127.0.0.1', '-p', String(port), '-U', 'diego', '-d', 'postgres', ...statements],
    {
      timeout: 30_000,
    },
  );
}

/** PostgreSQL refuses to run as root; its Debian package brings a user. */
async function ordinaryUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { stdout } = await execa('getent', ['passwd', 'postgres']);
  const [, , uid, gid] = stdout.split(':').map(Number);
  return { uid: uid ?? 65_534, gid: gid ?? 65_534 };
}
