import { expect, test } from '@jest/globals';
import { armConfigSchema } from '../../../../executor/providers/arm/config.js';
import { dnsmasqArgs, readLogLine } from '../../../../executor/providers/arm/dnsmasq-words.js';

test.each([
  [
    'Nov 30 17:00:01 dnsmasq-dhcp[7]: 99 DHCPDISCOVER(br0) 52:54:00:a7:00:10',
    { mac: '52:54:00:a7:00:10', happened: 'asked' },
  ],
  [
    'Nov 30 17:00:01 dnsmasq-dhcp[7]: 99 DHCPDISCOVER(br0) 10.0.0.11 52:54:00:a7:00:10',
    { mac: '52:54:00:a7:00:10', happened: 'asked' },
  ],
  [
    'Nov 30 17:00:02 dnsmasq-tftp[7]: sent /h/boot/tftp/52-54-00-a7-00-10/vmlinuz to 10.0.0.11',
    { mac: '52:54:00:a7:00:10', happened: 'fetched', file: 'vmlinuz' },
  ],
  [
    'Nov 30 17:00:02 dnsmasq-tftp[7]: sent /h/tftp/52-54-00-a7-00-10/pxelinux.cfg/01-52-54-00-a7-00-10 to 10.0.0.11',
    { mac: '52:54:00:a7:00:10', happened: 'fetched', file: 'pxelinux.cfg/01-52-54-00-a7-00-10' },
  ],
  ['Nov 30 17:00:02 dnsmasq-tftp[7]: file /h/boot/tftp/52-54-00-a7-00-10/x not found for 10.0.0.11', undefined],
  ['Nov 30 17:00:01 dnsmasq-dhcp[7]: 99 DHCPREQUEST(br0) 10.0.0.11 52:54:00:a7:00:10', undefined],
  ['Nov 30 17:00:01 dnsmasq[7]: started, version 2.90 DNS disabled', undefined],
])('%s', (line, event) => {
  expect(readLogLine(line)).toEqual(event);
});

test('dnsmasq serves the known boards on one interface, and no names', () => {
  const config = armConfigSchema.parse({
    ...{ interface: 'eth1', server: '10.0.0.1', subnet: '10.0.0.0/22', gateway: '10.0.0.254' },
    boards: [{ id: 'one', mac: '52:54:00:a7:00:10', address: '10.0.0.11', memory_mb: 512 }],
  });
  const args = dnsmasqArgs(config, { tftp: '/t', leases: '/l', log: '/o' });
  expect(args).toEqual(
    expect.arrayContaining([
      ...['--port=0', '--interface=eth1', '--bind-interfaces', '--dhcp-range=10.0.0.0,static,255.255.252.0,1h'],
      ...['--dhcp-host=52:54:00:a7:00:10,10.0.0.11,one', '--tftp-root=/t', '--tftp-unique-root=mac'],
      '--dhcp-option=option:router,10.0.0.254',
    ]),
  );
});
