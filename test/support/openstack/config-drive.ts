import { execa } from 'execa';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A config drive as Nova makes it: ISO 9660 with Joliet and Rock Ridge, named config-2. Gives its path. */
export async function makeConfigDrive(
  dir: string,
  of: { id: string; name: string; metadata: Record<string, string>; user_data: string | undefined },
): Promise<string> {
  const tree = join(dir, `${of.id}.drive`);
  const file = join(dir, `${of.id}.config`);
  const latest = join(tree, 'openstack/latest');
  await mkdir(latest, { recursive: true });
  const facts = { uuid: of.id, name: of.name, hostname: `${of.name}.novalocal`, meta: of.metadata, launch_index: 0 };
  await writeFile(join(latest, 'meta_data.json'), JSON.stringify(facts));
  await writeFile(join(latest, 'network_data.json'), JSON.stringify({ links: [], networks: [], services: [] }));
  await writeFile(join(latest, 'vendor_data.json'), '{}');
  if (of.user_data !== undefined) {
    await writeFile(join(latest, 'user_data'), Buffer.from(of.user_data, 'base64'), { mode: 0o600 });
  }
  const flags = ['-quiet', '-J', '-r', '-ldots', '-allow-lowercase', '-allow-multidot', '-l', '-V', 'config-2'];
  await execa('genisoimage', ['-o', file, ...flags, tree]);
  await rm(tree, { recursive: true });
  return file;
}
