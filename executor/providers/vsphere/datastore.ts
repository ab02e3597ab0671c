import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SharedWork } from '../../../core/shared-work.js';
import { convertDisk, describeForEsxi } from '../../disks/formats.js';
import type { RawDisk } from '../../remote/driver.js';
import type { Ground } from './ground.js';
import { list, moref, unless, wordOf, xml, type Vim } from './vim.js';

interface Parts {
  vim: Vim;
  /** Of the datastore. */
  name: string;
  /** A folder of this host for what is being uploaded. */
  home: string;
  ground: () => Promise<Ground>;
}

/** Folders and disks on the datastore; all paths are below its top. */
export class Datastore {
  readonly #uploads = new SharedWork<string>();

  constructor(private readonly parts: Parts) {}

  /** Folders in a folder; none where it is not there. */
  async folders(folder: string): Promise<string[]> {
    const { browser } = await this.parts.ground();
    const path = `<datastorePath>${this.#xml(folder)}</datastorePath>`;
    const what = '<searchSpec><query xsi:type="FolderFileQuery"/><matchPattern>*</matchPattern></searchSpec>';
    const found = await this.parts.vim.task('SearchDatastore', browser, `${path}${what}`).catch(unless('FileNotFound'));
    return typeof found === 'object' ? list(found['file']).map((file) => wordOf(file['path'])) : [];
  }

  async makeFolder(path: string): Promise<void> {
    const { vim, ground } = this.parts;
    const { datacenter } = await ground();
    const body = `<name>${this.#xml(path)}</name>${moref('datacenter', datacenter)}<createParentDirectories>true</createParentDirectories>`;
    await vim.call('MakeDirectory', await vim.service('fileManager'), body).catch(unless('FileAlreadyExists'));
  }

  /** With all that is in it. */
  async deleteFolder(path: string): Promise<void> {
    const { vim, ground } = this.parts;
    const { datacenter } = await ground();
    const body = `<name>${this.#xml(path)}</name>${moref('datacenter', datacenter)}`;
    await vim.task('DeleteDatastoreFile', await vim.service('fileManager'), body).catch(unless('FileNotFound'));
  }

  /** Puts a disk into a folder of its own, once, and gives its path. Its description comes last and so tells that the rest is there. */
  upload(disk: RawDisk, folder: string, signal: AbortSignal): Promise<string> {
    const { vim, home } = this.parts;
    return this.#uploads.run(folder, signal, async (enough) => {
      const path = `${folder}/disk.vmdk`;
      if (await vim.download(path, 0)) return path;
      const scratch = await mkdtemp(join(home, 'upload-'));
      try {
        const files = await convertDisk(disk.path, 'vmdk-flat', join(scratch, 'disk.vmdk'), enough);
        const [description = '', flat = ''] = files;
        await describeForEsxi(description, 'lsilogic');
        await this.makeFolder(folder);
        await vim.upload(`${folder}/disk-flat.vmdk`, { file: flat });
        await vim.upload(path, { file: description });
        return path;
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });
  }

  async copyDisk(from: string, to: string, signal: AbortSignal): Promise<void> {
    const { vim, ground } = this.parts;
    const { datacenter } = await ground();
    const dc = (which: string): string => moref(which, datacenter);
    const body =
      `<sourceName>${this.#xml(from)}</sourceName>${dc('sourceDatacenter')}<destName>${this.#xml(to)}</destName>${dc('destDatacenter')}` +
      // vCenter takes no other form for the copy than its own choice.
      '<force>true</force>';
    await vim.task('CopyVirtualDisk', await vim.service('virtualDiskManager'), body, signal);
  }

  #xml(path: string): string {
    return xml(`[${this.parts.name}] ${path}`);
  }
}
