import { moref, xml, type Moref } from './vim.js';

export interface MachineFacts {
  name: string;
  ram_mb: number;
  cpus: number;
  datastore: string;
  /** Paths on the datastore. */
  folder: string;
  disk: string;
  seed: string;
  serial: string;
  network: string;
  networkRef: Moref;
  /** Kept with the machine, so that people see whose it is. */
  owner: string;
  key: string;
  /** Seen by people, and by us. */
  note: string;
}

/** A VirtualMachineConfigSpec; its elements are in the order of vim25's schema, which real servers insist on. Pure. */
export function machineSpec(facts: MachineFacts): string {
  const file = (path: string): string => xml(`[${facts.datastore}] ${path}`);
  const extra = (key: string, value: string): string =>
    `<extraConfig><key>${key}</key><value xsi:type="xsd:string">${xml(value)}</value></extraConfig>`;
  return [
    `<config><name>${xml(facts.name)}</name><guestId>otherLinux64Guest</guestId><annotation>${xml(facts.note)}</annotation>`,
    `<files><vmPathName>${file(`${facts.folder}/${facts.name}.vmx`)}</vmPathName></files>`,
    `<numCPUs>${facts.cpus}</numCPUs><memoryMB>${Math.ceil(facts.ram_mb / 4) * 4}</memoryMB>`,
    add(
      '<device xsi:type="ParaVirtualSCSIController"><key>-1</key><busNumber>0</busNumber><sharedBus>noSharing</sharedBus></device>',
    ),
    add(
      `<device xsi:type="VirtualDisk"><key>-2</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName>${file(facts.disk)}</fileName>` +
        '<diskMode>persistent</diskMode></backing><controllerKey>-1</controllerKey><unitNumber>0</unitNumber><capacityInKB>0</capacityInKB></device>',
    ),
    add('<device xsi:type="VirtualIDEController"><key>-3</key><busNumber>0</busNumber></device>'),
    add(
      `<device xsi:type="VirtualCdrom"><key>-4</key><backing xsi:type="VirtualCdromIsoBackingInfo"><fileName>${file(facts.seed)}</fileName></backing>` +
        `${connected}<controllerKey>-3</controllerKey><unitNumber>0</unitNumber></device>`,
    ),
    add(
      `<device xsi:type="VirtualVmxnet3"><key>-5</key><backing xsi:type="VirtualEthernetCardNetworkBackingInfo"><deviceName>${xml(facts.network)}</deviceName>` +
        `${moref('network', facts.networkRef)}</backing>${connected}<addressType>generated</addressType></device>`,
    ),
    add(
      `<device xsi:type="VirtualSerialPort"><key>-6</key><backing xsi:type="VirtualSerialPortFileBackingInfo"><fileName>${file(facts.serial)}</fileName></backing>` +
        `${connected}<yieldOnPoll>true</yieldOnPoll></device>`,
    ),
    extra('unik.owner', facts.owner) + extra('unik.key', facts.key),
    '</config>',
  ].join('');
}

const connected =
  '<connectable><startConnected>true</startConnected><allowGuestControl>false</allowGuestControl><connected>true</connected></connectable>';

const add = (device: string): string => `<deviceChange><operation>add</operation>${device}</deviceChange>`;
