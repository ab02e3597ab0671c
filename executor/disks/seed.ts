const BLOCK = 2048;
const FIRST = 16;

/**
 * A small ISO 9660 (ECMA-119) with files in its root, as the guest looks for it by its volume name: a seed disk. Names
 * are upper-case 8.3. Same input, same bytes.
 */
export function seedIso(volume: string, files: readonly { name: string; bytes: Uint8Array }[]): Buffer {
  const [pathTableL, pathTableM, root, content] = [FIRST + 2, FIRST + 3, FIRST + 4, FIRST + 5];
  let next = content;
  const placed = files.map(({ name, bytes }) => {
    const file = { name, bytes, block: next };
    next += Math.max(1, Math.ceil(bytes.length / BLOCK));
    return file;
  });
  const image = Buffer.alloc(next * BLOCK);
  const folder = (name: number): Buffer => record(Buffer.from([name]), root, BLOCK, true);
  primary(volume, next, { pathTableL, pathTableM, root: folder(0) }).copy(image, FIRST * BLOCK);
  Buffer.from('\xffCD001\x01', 'latin1').copy(image, (FIRST + 1) * BLOCK);
  pathTable(root, false).copy(image, pathTableL * BLOCK);
  pathTable(root, true).copy(image, pathTableM * BLOCK);
  const entries = placed.map(({ name, bytes, block }) =>
    record(Buffer.from(`${name};1`, 'latin1'), block, bytes.length, false),
  );
  Buffer.concat([folder(0), folder(1), ...entries]).copy(image, root * BLOCK);
  for (const { bytes, block } of placed) image.set(bytes, block * BLOCK);
  return image;
}

/** The seed disk that carries an instance config; `source.c` reads it. */
export function configSeed(config: string): Buffer {
  return seedIso('unik-seed', [{ name: 'UNIK.JSN', bytes: Buffer.from(config) }]);
}

/** Numbers stand twice, in both byte orders. */
function both32(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
}

function both16(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
}

function record(name: Buffer, block: number, bytes: number, folder: boolean): Buffer {
  const length = 33 + name.length + ((name.length + 1) % 2);
  const entry = Buffer.alloc(length);
  entry.writeUInt8(length, 0);
  both32(block).copy(entry, 2);
  both32(bytes).copy(entry, 10);
  // 1 January 2020.
  Buffer.from([120, 1, 1, 0, 0, 0, 0]).copy(entry, 18);
  entry.writeUInt8(folder ? 2 : 0, 25);
  both16(1).copy(entry, 28);
  entry.writeUInt8(name.length, 32);
  name.copy(entry, 33);
  return entry;
}

function pathTable(root: number, bigEndian: boolean): Buffer {
  const table = Buffer.alloc(10);
  table.writeUInt8(1, 0);
  if (bigEndian) table.writeUInt32BE(root, 2);
  else table.writeUInt32LE(root, 2);
  if (bigEndian) table.writeUInt16BE(1, 6);
  else table.writeUInt16LE(1, 6);
  return table;
}

function primary(volume: string, blocks: number, at: { pathTableL: number; pathTableM: number; root: Buffer }): Buffer {
  const sector = Buffer.alloc(BLOCK);
  sector.fill(' ', 8, 72).fill(' ', 190, 813);
  Buffer.from('\x01CD001\x01', 'latin1').copy(sector);
  sector.write(volume, 40, 32, 'latin1');
  sector.fill(' ', 40 + volume.length, 72);
  both32(blocks).copy(sector, 80);
  both16(1).copy(sector, 120);
  both16(1).copy(sector, 124);
  both16(BLOCK).copy(sector, 128);
  both32(10).copy(sector, 132);
  sector.writeUInt32LE(at.pathTableL, 140);
  sector.writeUInt32BE(at.pathTableM, 148);
  at.root.copy(sector, 156);
  for (const field of [813, 830]) sector.write('2020010100000000\0', field, 'latin1');
  for (const field of [847, 864]) sector.write('0000000000000000\0', field, 'latin1');
  sector.writeUInt8(1, 881);
  return sector;
}
