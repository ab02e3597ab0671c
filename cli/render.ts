/** Pure: what people read. */
import { UnikError } from '../core/errors.js';
import type { InstanceSummary } from '../backend/api/schema/instances.js';

/** Columns as wide as their widest cell, two spaces apart; the last one is free. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === header.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - cell.length),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `WHAT (code)`, the details, and how to mend it. */
export function renderError(error: UnikError): string {
  const [what = '', ...details] = error.message.split('\n');
  const lines = [
    `unik: ${printable(what)} (${error.code})`,
    ...details.map((line) => `  ${printable(line)}`),
    `  fix: ${error.hint}`,
  ];
  return lines.join('\n');
}

/** Control characters of others must not reach the terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what this is about
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?');
}

/** `3 seconds`, `2 minutes`, `5 days`: the largest unit that fits. */
export function ago(ms: number): string {
  const units: [string, number][] = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ];
  const [unit, size] = units.find(([, least]) => ms >= least) ?? ['second', 1000];
  const count = Math.max(0, Math.floor(ms / size));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

export function statusText(row: InstanceSummary, now: number): string {
  switch (row.status) {
    case 'running':
      return `Up ${ago(now - (row.running_at ?? row.started_at ?? now))}${row.ready ? '' : ' (not ready)'}`;
    case 'exited': {
      const { exit } = row;
      if (!exit) return 'Exited';
      const why = exit.reason === 'exited' || exit.reason === 'stopped' ? '' : `, ${exit.reason.replace('_', ' ')}`;
      return `Exited (${exit.status}${why}) ${ago(now - exit.at)} ago`;
    }
    case 'restarting':
      return `Restarting (${row.exit?.status ?? 0})`;
    default:
      return row.status.charAt(0).toUpperCase() + row.status.slice(1);
  }
}

/** `127.0.0.1:8080->80/tcp, 443/tcp`. */
export function portsText(ports: InstanceSummary['ports']): string {
  return ports
    .map(({ host_address, host_port, guest_port, protocol }) => {
      const address = host_address.includes(':') ? `[${host_address}]` : host_address;
      return host_port === 0 ? `${guest_port}/${protocol}` : `${address}:${host_port}->${guest_port}/${protocol}`;
    })
    .join(', ');
}

/** `4.1 MB`: 1 MB is 2^20 bytes. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[step] ?? 'B'}`;
}

export const shortId = (id: string): string => id.slice(0, 12);
export const shortDigest = (digest: string): string => digest.replace('sha256:', '').slice(0, 12);
