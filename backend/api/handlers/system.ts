import { UnikError } from '../../../core/errors.js';
import { policyOf } from '../../../executor/providers/index.js';
import { providerName } from '../../provider-config.js';
import { openapi } from '../openapi.js';
import type { Parts } from '../parts.js';
import type { Handlers } from '../server.js';

type Names = 'info' | 'openapi' | 'doctor' | 'gc' | 'shutdown' | 'providers' | 'providerPolicy' | 'guests';

export function systemHandlers(parts: Parts): Pick<Handlers, Names> {
  const { executor, log } = parts;
  return {
    info: async () => {
      const accelerator = parts.accelerator();
      const { memory_mb, disk_mb, machines } = executor.capacity();
      return {
        stack: parts.stack,
        version: parts.version,
        api: 'v1' as const,
        owner: executor.owner,
        home: parts.home,
        pid: process.pid,
        started_at: parts.started_at,
        provider: parts.provider,
        ...(accelerator !== undefined ? { accelerator } : {}),
        capacity: { memory_mb, disk_mb, machines },
      };
    },
    openapi: async () => openapi(parts.version),
    doctor: (_input, { signal }) => parts.doctor(signal),
    gc: async ({ body }) => {
      const machines = await executor.gc(body.owner ?? executor.owner);
      const owner = body.owner ?? executor.owner;
      // Images and the like at the providers; a machine that needs one again brings it again.
      const images: string[] = [];
      for (const provider of parts.providers.values()) images.push(...((await provider.collect?.(owner)) ?? []));
      log.info({ owner, machines, images }, 'gc.done');
      return { machines, temporary_files: await parts.sweep() };
    },
    shutdown: async () => {
      const stopped = await parts.apps.drain();
      parts.exit();
      return { stopped };
    },
    providers: async (_input, { signal }) =>
      Promise.all(
        [...parts.providers.values()].map(async (provider) => {
          const { healthy, summary, accelerator } = await provider.probe(signal);
          return {
            name: provider.name,
            default: provider.name === parts.provider,
            healthy,
            summary,
            ...(accelerator !== undefined ? { accelerator } : {}),
            networks: [...provider.capabilities.network],
          };
        }),
      ),
    providerPolicy: async ({ params: { name } }) => {
      const known = providerName.safeParse(name);
      if (!known.success)
        throw new UnikError('provider_unknown', known.error.issues[0]?.message ?? `there is no provider ${name}`);
      const policy = await policyOf(known.data, executor.owner);
      if (policy) return { policy };
      throw new UnikError('not_supported', `provider ${name} needs no rights that could be told here`);
    },
    guests: async () =>
      [...parts.guests.values()].map(({ name, capabilities }) => ({
        name,
        providers: parts.pairings(name),
        signals: capabilities.signals,
        exit_status: capabilities.exitStatus,
        stderr_apart: capabilities.stderrApart,
        fork: capabilities.fork,
        max_cpus: capabilities.maxCpus,
      })),
  };
}
