/** A manifest as `cf push` sends it, read and checked (CC `app_manifest_message.rb`). Pure. */
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf } from '../../../core/errors.js';
import { cfError, invalid } from '../errors.js';
import { describe } from '../describe.js';
import { partOf, type AppPart } from './part.js';
import { appSchema, type ParsedApp } from './schema.js';

/** The manifest's applications as they are written, with the keys of one spelling. Throws 400, 422. */
export function readManifest(body: unknown): Record<string, unknown>[] {
  if (typeof body !== 'string') throw cfError('BadRequest', 'Bad request: Content-Type must be yaml');
  let value: unknown;
  try {
    // Aliases are bounded, so that a small text does not become a large tree.
    value = parse(body, { maxAliasCount: 100 });
  } catch (err) {
    throw cfError('MessageParseError', messageOf(err));
  }
  const parsed = z.looseObject({ applications: z.array(z.looseObject({})).min(1) }).safeParse(value);
  if (!parsed.success) {
    throw invalid(
      isObject(value) && 'applications' in value
        ? 'Applications must be an array of applications'
        : 'No applications found in the manifest',
    );
  }
  return parsed.data.applications.map(hyphened);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** `disk_quota` is `disk-quota`; names inside of `env`, `metadata` and the like are the user's. */
function hyphened(app: Record<string, unknown>): Record<string, unknown> {
  const keys = (one: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(one).map(([key, value]) => [key.replaceAll('_', '-'), value]));
  const each = (list: unknown): unknown =>
    Array.isArray(list) ? list.map((one: unknown) => (isObject(one) ? keys(one) : one)) : list;
  const whole = keys(app);
  return {
    ...whole,
    ...('processes' in whole ? { processes: each(whole['processes']) } : {}),
    ...('sidecars' in whole ? { sidecars: each(whole['sidecars']) } : {}),
  };
}

/** Throws 422 with one entry for each fault: `For application 'NAME': ...`. */
export function parseManifest(body: unknown): AppPart[] {
  const faults: string[] = [];
  const apps = readManifest(body).flatMap((raw, at) => {
    const parsed = appSchema.safeParse(raw);
    const name = typeof raw['name'] === 'string' ? raw['name'] : undefined;
    const whose = name === undefined ? `For application at index ${at}` : `For application '${name}'`;
    if (!parsed.success) {
      faults.push(...describe(parsed.error).map((fault) => `${whose}: ${fault}`));
      return [];
    }
    const part = partOf(parsed.data);
    faults.push(...faultsOf(part, parsed.data).map((fault) => `${whose}: ${fault}`));
    return [part];
  });
  if (faults.length > 0) throw invalid(...faults);
  return apps;
}

function faultsOf(part: AppPart, app: ParsedApp): string[] {
  const faults: string[] = [];
  if (part.docker && part.buildpacks !== undefined)
    faults.push('Docker and buildpacks cannot both be configured for an app.');
  if (app.buildpack !== undefined && app.buildpacks !== undefined)
    faults.push('Buildpack and Buildpacks fields cannot be used together.');
  if (part.no_route && (part.random_route || (part.routes?.length ?? 0) > 0)) {
    faults.push('Cannot use the combination of properties: no-route, random-route, routes');
  }
  for (const { type, health_check } of part.processes) {
    if (health_check?.endpoint !== undefined && health_check.type !== undefined && health_check.type !== 'http') {
      faults.push(`Process "${type}": Health check type must be "http" to set a health check HTTP endpoint`);
    }
  }
  const types = (app.processes ?? []).map(({ type }) => type);
  const twice = types.find((type, at) => types.indexOf(type) !== at);
  if (twice !== undefined) faults.push(`Process "${twice}" may only be present once`);
  return faults;
}
