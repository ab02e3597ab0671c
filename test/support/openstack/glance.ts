import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonOf, matches, type Call, type ImageSource, type Reply } from './wire.js';

type Image = Record<string, unknown> & { id: string; name: string; status: string; owner: string };

const KNOWN = [
  'name',
  'disk_format',
  'container_format',
  'visibility',
  'min_disk',
  'min_ram',
  'id',
  'protected',
  'tags',
];

/** Glance's v2, as far as private images go. https://docs.openstack.org/api-ref/image/v2/ */
export class GlanceDouble implements ImageSource {
  readonly images = new Map<string, Image>();
  /** Of all images together, bytes. */
  quota = Infinity;
  page = 25;

  constructor(
    private readonly dir: string,
    private readonly base: () => string,
  ) {
    mkdirSync(dir, { recursive: true });
  }

  image(id: string): ReturnType<ImageSource['image']> {
    const found = this.images.get(id);
    if (!found) return Promise.resolve(undefined);
    const properties = Object.fromEntries(
      Object.entries(found).filter((row): row is [string, string] => typeof row[1] === 'string'),
    );
    return Promise.resolve({
      ...{ status: found.status, format: String(found['disk_format']), file: join(this.dir, id), properties },
      min_disk: Number(found['min_disk']),
    });
  }

  handle(call: Call): Reply {
    const [, , kind, id = '', what] = call.path.split('/');
    if (call.path === '/' || call.path === '') return this.#versions();
    if (kind !== 'images') return refusal(404, 'Not Found', 'The resource could not be found.');
    if (id === '') return call.method === 'POST' ? this.#create(call) : this.#list(call);
    const image = this.images.get(id);
    if (!image || image.owner !== call.who.project) {
      return refusal(404, 'Not Found', `Failed to find image ${id}`);
    }
    if (what === 'file' && call.method === 'PUT') return this.#put(image, call);
    if (call.method === 'GET') return { status: 200, body: image };
    if (call.method !== 'DELETE') return refusal(405, 'Method Not Allowed', '');
    this.images.delete(id);
    rmSync(join(this.dir, id), { force: true });
    return { status: 204 };
  }

  #create(call: Call): Reply {
    const order = jsonOf(call);
    const { name, disk_format, container_format, visibility = 'shared', ...rest } = order;
    if (!['raw', 'qcow2', 'iso', 'vmdk'].includes(String(disk_format)) || container_format !== 'bare') {
      return refusal(400, 'Bad Request', `Invalid disk format '${String(disk_format)}' for image.`);
    }
    const bad = Object.entries(rest).find(([key, value]) => !KNOWN.includes(key) && typeof value !== 'string');
    if (bad) return refusal(400, 'Bad Request', `Provided object does not match schema 'image': ${bad[0]}`);
    const id = typeof order['id'] === 'string' ? order['id'] : randomUUID();
    if (this.images.has(id)) return refusal(409, 'Conflict', `Image ID ${id} already exists!`);
    const now = new Date().toISOString().replace(/\.\d+Z/, 'Z');
    const image: Image = {
      ...{ min_disk: 0, min_ram: 0, protected: false, tags: [], os_hidden: false, checksum: null, size: null },
      ...{ virtual_size: null, os_hash_algo: null, os_hash_value: null },
      ...{ ...rest, id, name: String(name), disk_format, container_format, visibility, status: 'queued' },
      ...{ owner: call.who.project, created_at: now, updated_at: now, schema: '/v2/schemas/image' },
      ...{ self: `/v2/images/${id}`, file: `/v2/images/${id}/file` },
    };
    this.images.set(id, image);
    return { status: 201, body: image, headers: { location: `${this.base()}/image/v2/images/${id}` } };
  }

  #put(image: Image, call: Call): Reply {
    if (call.headers['content-type'] !== 'application/octet-stream') return refusal(415, 'Unsupported Media Type', '');
    if (image.status !== 'queued') {
      return refusal(409, 'Conflict', `Image status transition from ${image.status} to saving is not allowed`);
    }
    const used = [...this.images.values()].reduce((sum, { size }) => sum + Number(size ?? 0), 0);
    if (used + call.body.length > this.quota) {
      return refusal(413, 'Request Entity Too Large', 'Denying attempt to upload image because it exceeds the quota');
    }
    writeFileSync(join(this.dir, image.id), call.body);
    const hash = (algorithm: string): string => createHash(algorithm).update(call.body).digest('hex');
    Object.assign(image, { status: 'active', size: call.body.length, checksum: hash('md5') });
    Object.assign(image, { os_hash_algo: 'sha512', os_hash_value: hash('sha512') });
    return { status: 204 };
  }

  #list({ query, who }: Call): Reply {
    const filters = new URLSearchParams([...query].filter(([name]) => name !== 'visibility'));
    const all = [...this.images.values()].filter((image) => image.owner === who.project && matches(image, filters));
    const after = all.findIndex(({ id }) => id === query.get('marker')) + 1;
    const limit = Math.min(Number(query.get('limit') ?? this.page), this.page);
    const images = all.slice(after, after + limit);
    const rest = new URLSearchParams(query);
    rest.set('marker', images.at(-1)?.id ?? '');
    const more = after + limit < all.length ? { next: `/v2/images?${rest.toString()}` } : {};
    return { status: 200, body: { images, first: '/v2/images', schema: '/v2/schemas/images', ...more } };
  }

  #versions(): Reply {
    const links = [{ rel: 'self', href: `${this.base()}/image/v2/` }];
    const versions = [
      { id: 'v2.16', status: 'CURRENT', links },
      { id: 'v2.0', status: 'SUPPORTED', links },
    ];
    return { status: 300, body: { versions } };
  }
}

/** Glance's own refusals are pages, whatever is asked for. */
function refusal(status: number, title: string, text: string): Reply {
  const head = `${String(status)} ${title}`;
  return {
    status,
    headers: { 'content-type': 'text/html; charset=UTF-8' },
    body: `<html>\n <head>\n  <title>${head}</title>\n </head>\n <body>\n  <h1>${head}</h1>\n  ${text}<br /><br />\n\n\n </body>\n</html>`,
  };
}
