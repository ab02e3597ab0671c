import { constants } from 'node:os';
import { UnikError } from '../../../core/errors.js';
import { stream } from '../instances/hub.js';
import { appLogs } from '../instances/logs.js';
import type { Parts } from '../parts.js';
import type { Handlers } from '../server.js';

type Names = Extract<keyof Handlers, `instance${string}` | 'logs' | 'events'>;

export function instanceHandlers({ apps, executor }: Parts): Pick<Handlers, Names> {
  const { board } = apps;
  return {
    instances: async ({ query }) => board.list(query.all ?? false),
    instanceCreate: ({ body }) => apps.create(body),
    instance: async ({ params, query }) => board.inspect(params.ref, query.show_env ?? false),
    instanceStart: ({ params, body }) => apps.start(params.ref, body.kernel),
    instanceStop: ({ params, body }) => apps.stop(params.ref, body.timeout_ms),
    instanceRestart: ({ params, body }) => apps.restart(params.ref, body),
    instanceKill: async ({ params, body }) => apps.kill(params.ref, signalOf(body.signal)),
    instanceRemove: ({ params, query }) => apps.remove(params.ref, query.force ?? false),
    instanceWait: async ({ params, query }, { signal }) => {
      const instance = await board.wait(params.ref, query.until, signal);
      return { ...(instance ? { instance } : {}), status: instance?.exit?.status ?? 0 };
    },
    logs: async ({ params, query }, { signal }) => {
      board.find(params.ref); // so that an unknown one is 404, not a stream that fails
      return appLogs(
        { board, executor },
        params.ref,
        { ...query, follow: query.follow ?? false, kernel: query.kernel ?? false },
        signal,
      );
    },
    events: async ({ query }, { signal }) => {
      const id = query.instance === undefined ? undefined : board.find(query.instance).id;
      return stream(
        (listener) =>
          board.events.subscribe((event) => {
            if (id === undefined || event.id === id) listener(event);
          }),
        signal,
      );
    },
  };
}

/** `TERM`, `SIGTERM`, `15`. Throws bad_request for anything else. */
function signalOf(text: string): NodeJS.Signals {
  const wanted = text.toUpperCase();
  const known = Object.entries(constants.signals);
  const found = known.find(([name, number]) => name === wanted || name === `SIG${wanted}` || String(number) === wanted);
  if (!found) throw new UnikError('bad_request', `signal: there is no signal "${text}"`);
  return found[0] as NodeJS.Signals;
}
