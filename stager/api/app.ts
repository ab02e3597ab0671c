import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { CloudController, Completion } from './cloud-controller.js';
import { failureOf, type StagingFailure } from './failures.js';
import { annotationSchema, buildpackDataSchema, requestSchema, taskEndSchema } from './request.js';
import { NotStageable, stagingDefinition, type StagingDefinition, type TaskPlaces } from './task.js';

/** The tasks of a BBS, as far as staging needs them. */
export interface StagingTasks {
  /** Resolves as well when there is a task of this guid. */
  desire(guid: string, definition: StagingDefinition): Promise<void>;
  /** What was noted with it; undefined: there is no such task. */
  annotation(guid: string): Promise<string | undefined>;
  cancel(guid: string): Promise<void>;
}

export interface StagerApiDeps {
  tasks: StagingTasks;
  cloudController: CloudController;
  places: TaskPlaces;
  log: Log;
}

const LIFECYCLE = 'buildpack';

/** The HTTP API of cloudfoundry/stager (`routes.go`, `handlers/`), over any BBS. */
export function stagerApi({ tasks, cloudController, places, log }: StagerApiDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  // Cloud Controller and BBS do not always say that it is JSON.
  app.use(express.json({ limit: '5mb', type: () => true }));

  app.put('/v1/staging/:guid', async (request: Request<Guid>, response: Response) => {
    const { guid } = request.params;
    const parsed = requestSchema.safeParse(request.body);
    if (!parsed.success) return void response.status(400).end();
    const { lifecycle, lifecycle_data } = parsed.data;
    if (lifecycle !== LIFECYCLE) return void response.status(404).end();
    try {
      const data = buildpackDataSchema.safeParse(lifecycle_data);
      if (!data.success) throw new NotStageable('missing lifecycle data');
      await tasks.desire(guid, stagingDefinition(guid, parsed.data, data.data, places));
      log.info({ guid }, 'stager.task-desired');
      response.status(202).end();
    } catch (err) {
      log.warn({ guid, reason: messageOf(err) }, 'stager.request-refused');
      response.status(500).json({ error: failureOf(messageOf(err)) });
    }
  });

  app.delete('/v1/staging/:guid', async (request: Request<Guid>, response: Response) => {
    const { guid } = request.params;
    try {
      const annotation = await tasks.annotation(guid);
      if (annotation === undefined) return void response.status(404).end();
      annotationSchema.parse(JSON.parse(annotation));
    } catch (err) {
      log.warn({ guid, reason: messageOf(err) }, 'stager.task-not-found-out');
      return void response.status(500).end();
    }
    response.status(202).end();
    await tasks
      .cancel(guid)
      .catch((err: unknown) => log.warn({ guid, reason: messageOf(err) }, 'stager.not-cancelled'));
  });

  app.post('/v1/staging/:guid/completed', async (request: Request<Guid>, response: Response) => {
    const { guid } = request.params;
    const ended = readEnd(guid, request.body);
    if (!ended) return void response.status(400).end();
    if (ended.lifecycle !== LIFECYCLE) return void response.status(404).end();
    try {
      const status = await cloudController.complete(guid, ended.callback, ended.completion);
      log.info({ guid, status, failed: 'error' in ended.completion }, 'stager.completed');
      response.status(status).end();
    } catch (err) {
      // The BBS then tries again.
      log.warn({ guid, reason: messageOf(err) }, 'stager.cloud-controller-unreachable');
      response.status(503).end();
    }
  });

  app.use(broken(log));
  return app;
}

type Guid = { guid: string };

interface TaskEnd {
  lifecycle: string;
  callback: string;
  completion: Completion;
}

/** Undefined for what no task of ours can have said. */
function readEnd(guid: string, body: unknown): TaskEnd | undefined {
  const end = taskEndSchema.safeParse(body);
  if (!end.success || end.data.task_guid !== guid) return undefined;
  const { failed, failure_reason, result, annotation } = end.data;
  try {
    const { lifecycle, completion_callback: callback } = annotationSchema.parse(JSON.parse(annotation));
    const error = (): { error: StagingFailure } => ({ error: failureOf(failure_reason) });
    return { lifecycle, callback, completion: failed ? error() : { result: JSON.parse(result) as unknown } };
  } catch (err) {
    if (err instanceof SyntaxError || (err instanceof Error && err.name === 'ZodError')) return undefined;
    throw err;
  }
}

/** A body that is no JSON, and what nobody expected. */
function broken(log: Log): ErrorRequestHandler {
  return (err: unknown, _request, response, _next) => {
    const { status } = err as { status?: unknown };
    if (typeof status === 'number' && status < 500) return void response.status(400).end();
    log.error({ err }, 'stager.request-failed');
    response.status(500).json({ error: failureOf('') });
  };
}
