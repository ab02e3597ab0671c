/** What Diego's own route-emitter says of an instance, and what ours does: the same message. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from 'nats';
import { lrpOrder } from '../../../backend/convert/desired-lrp.js';
import { DEFAULT_CONTEXT } from '../../../backend/convert/context.js';
import { advertsOf } from '../../../backend/routes/adverts.js';
import { decode, encode } from '../../../backend/wire/codec.js';
import { controlOf, type Control } from '../../support/cell/control.js';
import { desiredApp } from '../../support/cell/desired.js';
import { aContainer, aDemand } from '../../support/cell/samples.js';
import { startRealDiego, type RealDiego } from '../../support/diego/real.js';
import { startRouter, type Router } from '../../support/diego/router.js';
import { describePeer } from '../../support/peers.js';
import { until } from '../../support/routes/client.js';

const PEERS = ['postgres', 'locket', 'bbs', 'auctioneer', 'nats-server', 'gorouter', 'route-emitter'];

describePeer('Messages of the real route-emitter', PEERS, () => {
  let diego: RealDiego;
  let router: Router;
  let control: Control;
  let nats: NatsConnection;
  const heard: { subject: string; message: Record<string, unknown> }[] = [];
  beforeAll(async () => {
    diego = await startRealDiego();
    router = await startRouter({ emitter_of: diego });
    control = await controlOf(diego);
    const { address, user, password } = router.nats;
    nats = await connect({ servers: address, user, pass: password });
    for (const subject of ['router.register', 'router.unregister']) {
      nats.subscribe(subject, {
        callback: (_err, { data }) => {
          heard.push({ subject, message: JSON.parse(Buffer.from(data).toString()) as Record<string, unknown> });
        },
      });
    }
    await nats.flush();
  }, 90_000);
  afterAll(async () => {
    await nats.close();
    await control.close();
    await router.close();
    await diego.close();
  }, 60_000);

  test('are ours, but for the time of the change', async () => {
    const process_guid = 'same';
    const [guid, cell_id] = ['0d4f2c1e-8f0a-4a57-b5de-1b', 'cell-a'];
    const desired = desiredApp({ process_guid, droplet: { url: 'http://x', sha256: 'y' } });
    const routes = [
      { hostnames: ['one.apps.test'], port: 8080, route_service_url: null, isolation_segment: null, protocol: 'http1' },
      { hostnames: ['two.apps.test/path'], port: 8080, options: { lb_algo: 'least-connection' } },
      { hostnames: ['other.apps.test'], port: 9090 },
    ];
    desired.routes = { routes: { 'cf-router': Buffer.from(JSON.stringify(routes)) } };
    await control.bbs.call('desire_lrp', { desired_lrp: desired });
    const lrp = { process_guid, index: 0, domain: 'cf-apps' };
    const instance = { instance_guid: guid, cell_id };
    const net = {
      ...{ address: '10.0.0.5', instance_address: '10.201.0.2' },
      ports: [{ container_port: 8080, host_port: 61001 }],
    };
    const order = lrpOrder(
      decode('models.DesiredLRP', encode('models.DesiredLRP', desired)),
      lrp,
      guid,
      DEFAULT_CONTEXT,
    );
    await control.bbs.call('claim', { process_guid, index: 0, actual_lrp_instance_key: instance });
    await control.bbs.call('start', {
      ...{ actual_lrp_key: lrp, actual_lrp_instance_key: instance, metric_tags: order.metric_tags },
      actual_lrp_net_info: { ...net, preferred_address: 'HOST' },
      ...{ routable: true, availability_zone: 'z1' },
    });
    await until(
      'it is registered',
      async () => heard.filter(({ subject }) => subject === 'router.register').length >= 2,
    );
    const reservation = { kind: 'lrp' as const, guid, lrp, trace: '', demand: aDemand() };
    const container = aContainer({ reservation, state: 'running', routable: true, order, net });
    const ours = advertsOf(container, { zone: 'z1', internal: false }).map(({ message }) => message);
    const theirs = new Map(
      heard.map(({ message: { endpoint_updated_at_ns: _when, ...message } }) => [
        JSON.stringify(message['uris']),
        message,
      ]),
    );
    expect(ours).toHaveLength(2);
    expect(ours.map(({ uris }) => theirs.get(JSON.stringify(uris)))).toEqual(ours);
    expect(theirs.size).toBe(2);
    await control.bbs.call('crash', { actual_lrp_key: lrp, actual_lrp_instance_key: instance, error_message: 'gone' });
    await until(
      'it is unregistered',
      async () => heard.filter(({ subject }) => subject === 'router.unregister').length >= 2,
    );
    const goodbye = heard.find(({ subject }) => subject === 'router.unregister')?.message;
    expect(ours.map(({ uris }) => uris)).toContainEqual(goodbye?.['uris']);
    expect(goodbye).toMatchObject({ host: '10.0.0.5', port: 61001 });
  }, 60_000);
});
