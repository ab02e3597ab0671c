/** What a filter must know of an architecture. Source: the kernel's audit.h and its tables of system calls. */
export interface Architecture {
  /** AUDIT_ARCH_*: a call by any other convention (32 bit) ends the process. */
  audit: number;
  /** Calls from this number on belong to a second convention (x32) of the same architecture. */
  foreign_from?: number;
}

export const ARCHITECTURES = {
  x64: { audit: 0xc000003e, foreign_from: 0x40000000 },
  arm64: { audit: 0xc00000b7 },
} as const satisfies Record<string, Architecture>;

export type Arch = keyof typeof ARCHITECTURES;

/** Number on x86_64, number on aarch64; undefined where it does not exist. */
type Numbers = readonly [x64: number, arm64?: number];

/**
 * Calls no build needs, refused with EPERM: they change the machine, its namespaces and mounts, look into other
 * processes, reach kernel parts with a history of escapes, or take memory that no limit counts.
 */
export const FORBIDDEN: Readonly<Record<string, Numbers>> = {
  // Mounts and roots.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_by_handle_at: [304, 265],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  swapon: [167, 224],
  swapoff: [168, 225],
  // Namespaces; `clone` is looked at by its flags.
  unshare: [272, 97],
  setns: [308, 268],
  // Other processes.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  // The kernel itself.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  fanotify_init: [300, 262],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174],
  query_module: [178],
  uselib: [134],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  syslog: [103, 116],
  acct: [163, 89],
  iopl: [172],
  ioperm: [173],
  modify_ldt: [154],
  _sysctl: [156],
  // The whole machine.
  reboot: [169, 142],
  vhangup: [153, 58],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  // Memory that belongs to no process: System V segments and queues, POSIX queues, secret memory.
  shmget: [29, 194],
  msgget: [68, 186],
  mq_open: [240, 180],
  memfd_secret: [447, 447],
};

/** Refused as if the kernel lacked them (ENOSYS), so that libraries fall back to what is filtered or plain. */
export const ABSENT: Readonly<Record<string, Numbers>> = {
  // Its flags lie in memory, where no filter can look; glibc then calls `clone`.
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
};

/** Looked at by an argument. */
export const EXAMINED = {
  clone: [56, 220],
  socket: [41, 198],
  ioctl: [16, 29],
} as const satisfies Record<string, Numbers>;

/** Those of a table that `arch` has, by number. */
export function numbersOn(arch: Arch, table: Readonly<Record<string, Numbers>>): number[] {
  return Object.values(table)
    .map(([x64, arm64]) => (arch === 'x64' ? x64 : arm64))
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b);
}
