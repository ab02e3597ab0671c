#!/usr/bin/env node
/**
 * VBoxManage as its manual and its messages are known, for tests: machines are QEMU's. `$VBOX_STANDIN` is a folder with
 * `setup.json` ({major, enter, bridge, fail?}) and what this program keeps. Exit codes, lock messages, output forms and
 * the option spellings of versions 6 and 7 as VirtualBox has them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const home = process.env.VBOX_STANDIN ?? '';
const setup = JSON.parse(readFileSync(join(home, 'setup.json'), 'utf8'));
const [verb = '', ...args] = process.argv.slice(2);
const LOCK_MS = 500;

function fail(text, code, exit = 1) {
  process.stderr.write(`VBoxManage: error: ${text}\n`);
  if (code)
    process.stderr.write(
      `VBoxManage: error: Details: code ${code}, component MachineWrap, interface IMachine, callee nsISupports\n`,
    );
  process.exit(exit);
}

/** Version 7 knows both spellings of what it renamed, version 6 the old ones. */
const RENAMED = {
  'uart-mode1': 'uartmode1',
  'nic-type1': 'nictype1',
  'cable-connected1': 'cableconnected1',
  'host-only-adapter1': 'hostonlyadapter1',
  'rtc-use-utc': 'rtcuseutc',
};
const SETTINGS = [
  'memory',
  'cpus',
  'acpi',
  'ioapic',
  'vram',
  'boot1',
  'boot2',
  'rtcuseutc',
  'nic1',
  'hostonlyadapter1',
  'nictype1',
  'cableconnected1',
  'uart1',
  'uartmode1',
];
const TWO_WORDS = ['uart1', 'uartmode1'];

const file = (name) => join(home, 'machines', `${name}.json`);
const names = () => {
  try {
    return readdirSync(join(home, 'machines')).map((entry) => entry.slice(0, -5));
  } catch {
    return [];
  }
};
function machine(name) {
  if (!existsSync(file(name)))
    fail(`Could not find a registered machine named '${name}'`, 'VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)');
  return JSON.parse(readFileSync(file(name), 'utf8'));
}
const save = (one) => writeFileSync(file(one.name), JSON.stringify(one));
const alive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
function stateOf(one) {
  if (one.pid && alive(one.pid)) return 'running';
  return 'poweroff';
}
function locked(one) {
  const held = stateOf(one) === 'running' || Date.now() - (one.off_at ?? 0) < LOCK_MS;
  if (held)
    fail(
      `The machine '${one.name}' is already locked for a session (or being unlocked)`,
      'VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)',
    );
}
const option = (name) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
};

function modify(one) {
  locked(one);
  for (let at = 1; at < args.length;) {
    const spelt = args[at].replace(/^--/, '');
    const name = setup.major >= 7 ? (RENAMED[spelt] ?? spelt) : spelt;
    const audio = setup.major >= 7 ? 'audio-enabled' : 'audio';
    if (!SETTINGS.includes(name) && name !== audio) fail(`Unknown option: --${spelt}`, undefined, 2);
    const words = TWO_WORDS.includes(name) ? 2 : 1;
    one.settings[name] = args.slice(at + 1, at + 1 + words);
    at += 1 + words;
  }
  save(one);
}

function start(one) {
  if (setup.fail === 'no-driver')
    fail(
      `Failed to open a session for the virtual machine ${one.name}\nVBoxManage: error: AMD-V is disabled in the BIOS (or by the host OS) (VERR_SVM_DISABLED)`,
      'NS_ERROR_FAILURE (0x80004005)',
    );
  if (setup.fail === 'quiet') fail('something went wrong', 'NS_ERROR_FAILURE (0x80004005)', 0);
  locked(one);
  process.stdout.write(`Waiting for VM "${one.name}" to power on...\n`);
  const tap = `v${createHash('sha256').update(one.name).digest('hex').slice(0, 10)}`;
  const inside = (...words) => execFileSync('nsenter', [...setup.enter, ...words]);
  try {
    inside('ip', 'tuntap', 'add', tap, 'mode', 'tap');
  } catch {
    // It was there.
  }
  inside('ip', 'link', 'set', tap, 'master', 'br0', 'up');
  const [, serial] = one.settings.uartmode1 ?? [];
  const log = openSync(`${serial}.qemu`, 'w');
  const qemu = spawn(
    'nsenter',
    [
      ...[
        ...setup.enter,
        'qemu-system-x86_64',
        '-accel',
        'tcg',
        '-M',
        'pc',
        '-cpu',
        'max',
        '-m',
        String(one.settings.memory),
        '-nodefaults',
      ],
      ...[
        '-no-user-config',
        '-no-reboot',
        '-display',
        'none',
        '-chardev',
        `file,id=s,path=${serial}`,
        '-serial',
        'chardev:s',
      ],
      ...[
        '-drive',
        `file=${one.media['0']},format=vdi,if=none,id=d0`,
        '-device',
        'ide-hd,drive=d0,bus=ide.0,bootindex=0',
      ],
      ...[
        '-drive',
        `file=${one.media['1']},format=raw,if=none,id=d1,readonly=on`,
        '-device',
        'ide-cd,drive=d1,bus=ide.1',
      ],
      ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
      ...['-device', `virtio-net-pci,netdev=n0,romfile=,mac=52:54:00:${tap.slice(1, 7).match(/../g).join(':')}`],
    ],
    { detached: true, stdio: ['ignore', log, log] },
  );
  qemu.unref();
  save({ ...one, pid: qemu.pid });
  process.stdout.write(`VM "${one.name}" has been successfully started.\n`);
}

const verbs = {
  '--version': () => {
    if (setup.fail === 'no-module')
      process.stdout.write(
        'WARNING: The vboxdrv kernel module is not loaded. Either there is no module\n         available for the current kernel (6.1.0) or it failed to load.\n',
      );
    process.stdout.write(setup.major >= 7 ? '7.0.20r163906\n' : '6.1.50_Debianr161033\n');
  },
  convertfromraw() {
    if (existsSync(args[1])) fail(`Cannot create the disk image "${args[1]}": VERR_ALREADY_EXISTS`);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', option('format').toLowerCase(), args[0], args[1]]);
    process.stdout.write(`Converting from raw image file="${args[0]}" to file="${args[1]}"...\n`);
  },
  createvm() {
    const name = option('name');
    const folder = join(option('basefolder'), name);
    if (existsSync(join(folder, `${name}.vbox`)))
      fail(`Machine settings file '${join(folder, `${name}.vbox`)}' already exists`, 'VBOX_E_FILE_ERROR (0x80bb0004)');
    mkdirSync(join(home, 'machines'), { recursive: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.vbox`), '<VirtualBox/>');
    save({ name, uuid: randomUUID(), folder, settings: {}, media: {} });
    process.stdout.write(`Virtual machine '${name}' is created and registered.\n`);
  },
  modifyvm: () => modify(machine(args[0])),
  storagectl: () => locked(machine(args[0])),
  storageattach() {
    const one = machine(args[0]);
    locked(one);
    if (!existsSync(option('medium')))
      fail(
        `Could not find file for the medium '${option('medium')}' (VERR_FILE_NOT_FOUND)`,
        'VBOX_E_FILE_ERROR (0x80bb0004)',
      );
    one.media[option('port')] = option('medium');
    save(one);
  },
  startvm: () => start(machine(args[0])),
  showvminfo() {
    const one = machine(args[0]);
    const [uart, path] = one.settings.uartmode1 ?? ['disconnected', ''];
    const lines = [
      `name="${one.name}"`,
      'groups="/"',
      'ostype="Other Linux (64-bit)"',
      `UUID="${one.uuid}"`,
      `CfgFile="${one.folder}/${one.name}.vbox"`,
    ];
    lines.push(
      `memory=${one.settings.memory}`,
      `cpus=${one.settings.cpus}`,
      `VMState="${stateOf(one)}"`,
      'VMStateChangeTime="2019-11-04T16:38:48.476000000"',
    );
    lines.push(
      'storagecontrollername0="IDE"',
      'storagecontrollertype0="PIIX4"',
      `"IDE-0-0"="${one.media['0'] ?? 'none'}"`,
      `uartmode1="${uart},${path}"`,
    );
    process.stdout.write(`${lines.join('\n')}\n`);
  },
  list() {
    if (args[0] === 'hostonlyifs')
      return process.stdout.write(
        'Name:            vboxnet0\nGUID:            786f6276-656e-4074-8000-0a0027000000\nDHCP:            Disabled\n',
      );
    const shown = names()
      .map(machine)
      .filter((one) => args[0] === 'vms' || stateOf(one) === 'running');
    process.stdout.write(shown.map(({ name, uuid }) => `"${name}" {${uuid}}\n`).join(''));
  },
  controlvm() {
    const one = machine(args[0]);
    if (stateOf(one) !== 'running') fail(`Invalid machine state: PoweredOff`, 'VBOX_E_INVALID_VM_STATE (0x80bb0002)');
    if (args[1] !== 'poweroff') return;
    process.kill(one.pid, 'SIGKILL');
    while (alive(one.pid)) execFileSync('sleep', ['0.05']);
    save({ ...one, off_at: Date.now() });
    process.stderr.write('0%...10%...20%...30%...40%...50%...60%...70%...80%...90%...100%\n');
  },
  unregistervm() {
    const one = machine(args[0]);
    locked(one);
    if (args.includes('--delete')) {
      for (const medium of Object.values(one.media))
        if (dirname(medium) === one.folder) rmSync(medium, { force: true });
      rmSync(join(one.folder, `${one.name}.vbox`), { force: true });
    }
    rmSync(file(one.name));
  },
};

if (!verbs[verb]) fail(`Invalid command '${verb}'`, undefined, 2);
verbs[verb]();
