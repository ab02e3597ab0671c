/** What `bench guests` finds. Times in milliseconds, medians. */
export interface GuestReport {
  runs: number;
  accelerator: 'kvm' | 'tcg';
  /** By guest; `container`: the host's own kernel. `code_bytes`: machine code with all its modules. */
  kernels: Record<string, { digest?: string; code_bytes: number | undefined }>;
  apps: Record<
    string,
    {
      /** Machine code of the program and its libraries. */
      code_bytes: number;
      /** By guest, and `bare` and `container`. */
      on: Record<string, { boot_ms: number; ratio: number; image_bytes?: number; machine_mb?: number }>;
      ratio_bare?: number;
    }
  >;
  open_ports?: Record<string, number[]>;
  ratio_bare?: number | undefined;
}

/** The same as tables of Markdown. */
export function guestTable({ kernels, apps, open_ports, runs, accelerator }: GuestReport): string {
  const rows = Object.entries(apps).flatMap(([app, { on, code_bytes }]) =>
    Object.entries(on).map(([where, { boot_ms, ratio, image_bytes, machine_mb }]) => [
      ...[app, where, (boot_ms / 1_000).toFixed(2), ratio.toFixed(2), megabytes(image_bytes)],
      ...[
        machine_mb === undefined ? '' : machine_mb.toFixed(0),
        megabytes(kernelOf(kernels, where)),
        megabytes(code_bytes),
      ],
    ]),
  );
  const head = [
    'app',
    'on',
    'to 200, s',
    'against linux',
    'image, MB',
    'memory, MB',
    'kernel code, MB',
    'app code, MB',
  ];
  const digests = Object.entries(kernels).map(([name, { digest = 'the host’s own' }]) => `${name}: ${digest}`);
  const ports = Object.entries(open_ports ?? {}).map(([name, open]) => `${name}: ${open.join(' ')}`);
  return [
    `${runs} runs, ${accelerator}`,
    ...[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
    `Kernels: ${digests.join('; ')}`,
    `Open TCP ports: ${ports.join('; ') || 'not looked for: that takes root, and the application c'}`,
  ].join('\n');
}

/** Bare QEMU boots unikraft's. */
function kernelOf(kernels: GuestReport['kernels'], where: string): number | undefined {
  return kernels[where === 'bare' ? 'unikraft' : where]?.code_bytes;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '' : (bytes / 1e6).toFixed(2);
}
