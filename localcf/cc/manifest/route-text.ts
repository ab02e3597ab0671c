/** `host.domain/path` and `domain:port` of a manifest, taken apart by the domains that there are. Pure. */
import type { Domain } from '../model.js';

export interface RouteName<D> {
  domain: D;
  host: string;
  path: string;
  port: number | null;
}

/** Undefined: no domain fits. The whole name is tried first, then with its first label as the host. */
export function splitRoute<D extends Pick<Domain, 'name'>>(
  text: string,
  domains: readonly D[],
): RouteName<D> | undefined {
  const [, name = '', port, path = ''] = /^(?:https?:\/\/|tcp:\/\/)?([^/:]+)(?::(\d+))?(\/.*)?$/.exec(text) ?? [];
  const find = (wanted: string): D | undefined =>
    domains.find((one) => one.name.toLowerCase() === wanted.toLowerCase());
  const rest = { path: path === '/' ? '' : path, port: port === undefined ? null : Number(port) };
  const whole = find(name);
  if (whole) return { domain: whole, host: '', ...rest };
  const dot = name.indexOf('.');
  const domain = dot < 1 ? undefined : find(name.slice(dot + 1));
  return domain && { domain, host: name.slice(0, dot), ...rest };
}

export const isRouteText = (text: string): boolean =>
  /^(?:[a-z]+:\/\/)?(?:\*\.)?[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?(?:\/[^\s?#]*)?$/i.test(text);
