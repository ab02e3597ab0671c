import { z } from 'zod';

/** A device's hardware address, as six pairs of hex digits with colons. */
const mac = z
  .string()
  .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'a hardware address such as dc:a6:32:01:36:c2')
  .transform((text) => text.toLowerCase());
const word = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'lower-case letters, digits and `-`');
const argv = z.array(z.string().min(1)).min(1);
const request = z.strictObject({ url: z.url(), method: z.enum(['GET', 'POST', 'PUT']).default('POST') });

/**
 * How a board's power is switched. `http`: a smart plug, a PDU or a PoE switch with such an interface; `command`: any
 * program, such as snmpset for a PoE port. `none`: a board that only ever starts itself again.
 */
const power = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('http'),
    on: request,
    off: request,
    /** Tells whether it is on: a body that `on_when` (a regular expression) is found in. */
    status: z.strictObject({ url: z.url(), on_when: z.string().min(1) }).optional(),
    /** A file with a JSON object of further headers, such as Authorization. */
    headers_file: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('command'),
    on: argv,
    off: argv,
    /** Exits with 0 when the power is on, with 1 when it is off. */
    status: argv.optional(),
  }),
]);
export type PowerConfig = z.output<typeof power>;

/**
 * Where a board's serial line is read. `file`: what a console server (conserver, ser2net with a trace) writes on this
 * host; nothing is lost while we are away. `tcp`: a console server's port. `udp`: no line at all; the guest sends its
 * words to this host.
 */
const consoleSource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), path: z.string().min(1) }),
  z.strictObject({ kind: z.literal('tcp'), host: z.string().min(1), port: z.number().int().min(1).max(65535) }),
  z.strictObject({ kind: z.literal('udp') }),
]);

const board = z.strictObject({
  id: word,
  mac,
  /** Its address, ours to give. */
  address: z.ipv4(),
  memory_mb: z.number().int().min(256),
  /** What runs first on it: u-boot, or the Raspberry Pi's own loader, whose files are copied from `firmware`. */
  loader: z.enum(['u-boot', 'raspberry-pi']).default('u-boot'),
  /** A folder with the Pi's start*.elf, fixup*.dat, *.dtb and overlays. */
  firmware: z.string().optional(),
  /** The device of its serial line in Linux. */
  line: z
    .string()
    .regex(/^tty[A-Za-z]+\d+$/)
    .default('ttyAMA0'),
  baud: z.number().int().default(115_200),
  /** Devices that an application may use, by their names in /dev. */
  devices: z.array(z.string().regex(/^[A-Za-z0-9_-]+$/)).default(['gpiochip0']),
  power: power.default({ kind: 'none' }),
  console: consoleSource.default({ kind: 'udp' }),
});
export type Board = z.output<typeof board>;

export const armConfigSchema = z
  .strictObject({
    /** The interface of this host that the boards' network is on. DHCP and boot files are served there and nowhere else. */
    interface: z.string().regex(/^[^\s/,]{1,15}$/),
    /** This host's address there. */
    server: z.ipv4(),
    subnet: z.cidrv4(),
    gateway: z.ipv4().optional(),
    dns: z.array(z.ipv4()).default([]),
    /** The program; it is run as root and becomes this user when it has its ports. */
    dnsmasq: z.string().min(1).default('dnsmasq'),
    dnsmasq_user: z.string().min(1).default('root'),
    /** Where guests send their words, for boards with console `udp`. */
    log_port: z.number().int().min(1).max(65535).default(5140),
    boards: z.array(board).min(1),
    /** How long a board may take from power on until it has fetched its kernel, seconds. */
    load_timeout_s: z.number().int().min(5).default(180),
    /** A board that said nothing on its door for so long is lost, seconds. */
    lost_after_s: z.number().int().min(2).default(20),
    /** How often a board without power control looks for work, seconds. */
    idle_s: z.number().int().min(1).default(10),
  })
  .superRefine(({ boards }, context) => {
    for (const key of ['id', 'mac', 'address'] as const) {
      const values = boards.map((one) => one[key]);
      const twice = values.find((value, at) => values.indexOf(value) !== at);
      if (twice !== undefined) context.addIssue({ code: 'custom', message: `two boards have the ${key} ${twice}` });
    }
    for (const { id, loader, firmware } of boards) {
      if (loader === 'raspberry-pi' && firmware === undefined) {
        context.addIssue({ code: 'custom', message: `board ${id}: the Raspberry Pi's loader needs a folder firmware` });
      }
    }
  });
export type ArmConfig = z.output<typeof armConfigSchema>;
