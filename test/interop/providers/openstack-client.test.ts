/** Provider openstack, its double, and openstacksdk, which knows neither: what one of them makes, the others understand. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../core/clock.js';
import { noLog } from '../../../core/log.js';
import type { OpenStackConfig } from '../../../executor/providers/openstack/config.js';
import { createOpenStackProvider } from '../../../executor/providers/openstack/index.js';
import { tagOf } from '../../../executor/providers/openstack/names.js';
import { nameOf } from '../../../executor/remote/names.js';
import type { MachineHandle } from '../../../executor/model.js';
import type { RemoteProvider } from '../../../executor/remote/remote.js';
import { cloudConfig } from '../../support/openstack/cloud-config.js';
import { OpenStackPeer } from '../../support/openstack/peer.js';
import { describePeer, peer as program } from '../../support/peers.js';
import { makeBench, type Bench } from '../../support/qemu.js';
import { PACE, remoteSpec } from '../../support/remote.js';

const OWNER = 'client/cell';
const who = { key: 'seen-by-others', owner: OWNER };
const never = (): AbortSignal => new AbortController().signal;

interface Seen {
  servers: [string, string, string, Record<string, string>, Record<string, { addr: string }[]>, string, string][];
  tagged: string[];
  images: [string, string, string, string, Record<string, string>, string][];
  ports: [string, string, string, string, { ip_address: string }[], string][];
  [more: string]: unknown;
}
interface Said {
  project: string;
  seen: Seen;
  made: Record<string, unknown>;
  after: Seen;
}

for (const real of [false, true]) {
  const peers = ['openstack', ...(real ? ['openstack-services'] : [])];
  describePeer(`openstacksdk, ${real ? 'the real Keystone and Glance' : 'doubles alone'}`, peers, () => {
    let bench: Bench;
    let cloud: OpenStackPeer;
    let config: OpenStackConfig;
    let provider: RemoteProvider;
    let handle: MachineHandle;
    let said: Said;

    beforeAll(async () => {
      bench = await makeBench();
      cloud = await OpenStackPeer.open(undefined, join(bench.dir, 'cloud'), real);
      config = await cloudConfig(bench.dir, cloud);
      await mkdir(join(bench.dir, 'home'));
      const parts = { home: join(bench.dir, 'home'), clock: systemClock, log: noLog, pace: PACE };
      provider = createOpenStackProvider({ ...parts, config });
      handle = await provider.start(remoteSpec(bench, 'deaf', who), never());
      const python = join(dirname(program('openstack')), 'python3');
      const script = join(import.meta.dirname, '../../support/openstack/client.py');
      const env = { OS_CLIENT_CONFIG_FILE: config.credentials_file };
      said = JSON.parse((await execa(python, [script, tagOf(OWNER)], { env })).stdout) as Said;
    }, 600_000);
    afterAll(async () => {
      provider.close();
      await cloud.close();
      await bench.close();
    }, 60_000);

    test('the client sees the machine as we made it', () => {
      const { servers, images, ports, tagged, ...more } = said.seen;
      const [[id, name, status, metadata, addresses, image, drive] = []] = servers;
      const [[imageId, , imageStatus, format, properties, algorithm] = []] = images;
      const [[, portName, , device, fixed] = []] = ports;
      expect([servers.length, images.length, ports.length, said.project]).toEqual([1, 1, 1, 'apps']);
      expect([id, name, status, drive]).toEqual([handle.data['id'], nameOf(who), 'ACTIVE', 'True']);
      expect(metadata).toMatchObject({ 'unik:owner': OWNER, 'unik:key': who.key });
      expect(tagged).toEqual([id]);
      expect([portName, device, fixed?.[0]?.ip_address]).toEqual([name, id, handle.address]);
      expect(
        Object.values(addresses ?? {})
          .flat()
          .map(({ addr }) => addr),
      ).toEqual([handle.address]);
      expect([imageId, imageStatus, format, algorithm]).toEqual([image, 'active', 'qcow2', 'sha512']);
      expect(properties).toMatchObject({ unik_owner: OWNER });
      expect(more).toMatchObject({
        ...{ networks: ['apps'], groups: ['let-the-cell-in'], subnets: [true], instances: 10, zones: ['nova'] },
        flavors: expect.arrayContaining([['m1.tiny', 512, 1, 1]]),
      });
    });

    test('the client makes, stops and deletes a machine of its own, and finds refusals in the form it knows', () => {
      expect(said.made).toMatchObject({
        facts: ['active', 'ACTIVE', { a: 'b' }, true],
        twice: ['ConflictException', 409, expect.stringMatching(/^Port \S+ is still in use\.$/)],
        stopped_twice: ['ConflictException', 409, expect.stringMatching(/^Cannot 'stop' instance/)],
        no_server: ['NotFoundException', 404, expect.stringMatching(/^Instance \S+ could not be found\.$/)],
        no_image: ['NotFoundException', 404, expect.anything()],
        no_port: ['NotFoundException', 404, expect.stringMatching(/^Port \S+ could not be found\.?/)],
        no_flavor: ['BadRequestException', 400, expect.anything()],
      });
      expect(said.after).toEqual(said.seen);
    });

    test('the probe finds nothing wrong, and what we made goes to nothing', async () => {
      expect((await provider.probe(never())).findings.filter(({ status }) => status !== 'ok')).toEqual([]);
      await provider.destroy(handle);
      expect(await provider.collect(OWNER)).toHaveLength(1);
      expect([cloud.left(), (await cloud.real?.images()) ?? [...cloud.glance.images.keys()]]).toEqual([[], []]);
    });

    if (!real) return;
    test('an application credential made at the real Keystone lets in, a wrong one does not', async () => {
      const made = await cloud.real?.applicationCredential();
      const file = join(bench.dir, 'app.json');
      const parts = { home: join(bench.dir, 'home'), clock: systemClock, log: noLog, pace: PACE };
      for (const [secret, healthy] of [
        [made?.secret, true],
        ['of-old', false],
      ] as const) {
        const auth = { application_credential_id: made?.id, application_credential_secret: secret };
        await writeFile(file, JSON.stringify({ auth_url: cloud.auth_url, ...auth }), { mode: 0o600 });
        const other = createOpenStackProvider({ ...parts, config: { ...config, credentials_file: file } });
        expect((await other.probe(never())).healthy).toBe(healthy);
        other.close();
      }
    }, 60_000);
  });
}
