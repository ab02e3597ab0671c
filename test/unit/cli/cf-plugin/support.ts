import { app, droplet, stack, type App, type Droplet, type Stack } from '../../../../cli/cf-plugin/shapes.js';

export interface AppOptions {
  stack?: string | null;
  type?: string;
  state?: string;
  buildpacks?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export const anApp = (options: AppOptions = {}): App =>
  app.parse({
    guid: 'app-guid',
    name: 'hello',
    state: options.state ?? 'STOPPED',
    lifecycle: {
      type: options.type ?? 'buildpack',
      data: options.type === 'docker' ? {} : { stack: options.stack ?? null, buildpacks: options.buildpacks ?? [] },
    },
    metadata: { labels: options.labels ?? {}, annotations: options.annotations ?? {} },
  });

export const aStack = (name: string, annotations: Record<string, string> = {}, byDefault?: boolean): Stack =>
  stack.parse({ guid: `guid-${name}`, name, default: byDefault, metadata: { labels: {}, annotations } });

export const aDroplet = (onStack: string, version?: string): Droplet =>
  droplet.parse({
    guid: 'droplet',
    state: 'STAGED',
    stack: onStack,
    buildpacks: version === undefined ? null : [{ name: 'unik', version }],
  });
