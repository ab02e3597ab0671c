/** Programs and Linux kernels with bytes changed at random: read, or said to be none; never more, never long. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { moduleInfo } from '../../../executor/guests/linux/modules.js';
import { readElfSymbols } from '../../../executor/images/elf-symbols.js';
import { readElf } from '../../../executor/images/elf.js';
import { readGuestKernel } from '../../../executor/kernels/guest-source.js';
import { readLinuxSource } from '../../../executor/kernels/linux-source.js';
import { decodeLz4Legacy } from '../../../executor/kernels/lz4.js';
import { unpackKernel } from '../../../executor/kernels/vmlinux.js';
import { fuzz, FUZZ_MS } from '../../support/fuzz.js';
import { compileKernel, scratch } from '../../support/guests.js';
import { root } from '../../support/unik.js';

let folder: Awaited<ReturnType<typeof scratch>>;
beforeAll(async () => {
  folder = await scratch();
});
afterAll(() => folder.remove());

/** For readers of files. */
function inFile(read: (path: string) => unknown, name = 'file'): (bytes: Buffer) => unknown {
  return (bytes) => {
    const path = join(folder.dir, name);
    writeFileSync(path, bytes);
    return read(path);
  };
}

test(
  'a program',
  async () => {
    const path = join(folder.dir, 'program');
    await execa('gcc', ['-xc', '-', '-o', path], { input: 'int main(void) { return 0; }' });
    const good = readFileSync(path);
    await fuzz('ELF program', good, inFile(readElf));
    await fuzz('ELF symbols', good, inFile(readElfSymbols));
  },
  2 * FUZZ_MS,
);

test(
  'a module of the kernel',
  async () => {
    const source = join(folder.dir, 'm.c');
    writeFileSync(
      source,
      'const char info[] __attribute__((section(".modinfo"))) = "name=m\\0depends=a,b"; int f(void) { return 0; }',
    );
    await execa('gcc', ['-c', source, '-o', join(folder.dir, 'm.ko')]);
    const good = readFileSync(join(folder.dir, 'm.ko'));
    expect(moduleInfo(good)?.get('depends')).toBe('a,b');
    await fuzz('kernel module', good, moduleInfo);
  },
  FUZZ_MS,
);

/** Letters, then a match of 8 bytes 4 back, then letters to the end; packed by hand. */
function lz4(): Buffer {
  const block = Buffer.concat([
    Buffer.from([0x44]),
    Buffer.from('abcd'),
    Buffer.from([4, 0, 0x50]),
    Buffer.from('efghi'),
  ]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(0x184c2102, 0);
  frame.writeUInt32LE(block.length, 4);
  return Buffer.concat([frame, block]);
}

test(
  'what is packed with LZ4',
  async () => {
    expect(decodeLz4Legacy(lz4(), 17)?.toString()).toBe('abcdabcdabcdefghi');
    await fuzz('LZ4', lz4(), (bytes) => decodeLz4Legacy(bytes, 17));
  },
  FUZZ_MS,
);

/** A boot header, a banner, and a packed payload that is no kernel. */
function vmlinuz(): Buffer {
  const image = Buffer.alloc(0x1000);
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt8(3, 0x1f1);
  image.writeUInt16LE(0x300, 0x20e);
  image.write('6.1.0-1-test (a@b) #1 Debian 6.1.1-1\0', 0x500, 'latin1');
  const packed = Buffer.concat([lz4(), Buffer.from([17, 0, 0, 0])]);
  packed.copy(image, 0x800);
  image.writeUInt32LE(0, 0x248);
  image.writeUInt32LE(packed.length, 0x24c);
  return image;
}

test(
  'a packed Linux kernel, and a package with it',
  async () => {
    await fuzz('vmlinuz', vmlinuz(), unpackKernel);
    const [release = ''] = readdirSync(join(root, '.assets/kernel')).filter((name) => !name.startsWith('.'));
    await fuzz(
      'vmlinuz of this project, its head',
      readFileSync(join(root, '.assets/kernel', release, 'boot', `vmlinuz-${release}`)).subarray(0, 65_536),
      unpackKernel,
    );
    const dir = join(folder.dir, 'package');
    mkdirSync(join(dir, 'boot'), { recursive: true });
    mkdirSync(join(dir, 'lib/modules/6.1.0-1-test'), { recursive: true });
    await fuzz('kernel package', vmlinuz(), async (bytes) => {
      writeFileSync(join(dir, 'boot/vmlinuz-6.1.0-1-test'), bytes);
      // A package without modules is refused; what matters is how its kernel is read.
      return readLinuxSource(dir).catch((err: unknown) => {
        if (!/module/.test(String(err))) throw err;
      });
    });
  },
  3 * FUZZ_MS,
);

test(
  'a kernel for each guest',
  async () => {
    const multiboot = readFileSync(await compileKernel(folder.dir));
    const program = join(folder.dir, 'kernel64');
    await execa('gcc', ['-xc', '-', '-o', program], { input: 'int main(void) { return 0; }' });
    const scratchFile = join(folder.dir, 'scratch');
    for (const [guest, name, good] of [
      ['unikraft', 'kernel', multiboot],
      ['osv', 'loader.elf', readFileSync(program)],
    ] as const) {
      const order = { guest, arch: 'x86_64' } as const;
      await fuzz(
        `${guest}'s ${name}`,
        good,
        inFile((path) => readGuestKernel(path, order, scratchFile), name),
      );
    }
  },
  2 * FUZZ_MS,
);
