/** Pure: what the user types next, which depends on what `cf start` would do. */
import type { App, Droplet, Package } from './shapes.js';

export interface Standing {
  app: Pick<App, 'name' | 'state'>;
  /** Where the app is to run. */
  stack: string;
  /** The newest package, and whether a droplet of it is there. */
  newest?: Package | undefined;
  newestIsStaged: boolean;
  droplet?: Droplet | undefined;
  /** The stack was changed just now, so what runs still runs as before. */
  changed: boolean;
}

/**
 * Undefined: nothing is to be done. The traps: `cf start` does not stage a package that is staged already, and then runs
 * the droplet of the other stack on this one; a package that is not READY cannot be staged.
 */
export function nextStep({ app, stack, newest, newestIsStaged, droplet, changed }: Standing): string | undefined {
  const started = app.state === 'STARTED';
  const fits = droplet?.stack === stack;
  const restage = `Use 'cf restage ${app.name}' ('--strategy rolling' keeps it answering)`;
  if (newest?.state !== 'READY') {
    if (!droplet) return `Use 'cf push ${app.name}' to upload the app: it has no package yet.`;
    if (!fits) {
      return (
        `Use 'cf push ${app.name}': its droplet was staged for ${on(droplet)}, ` +
        'and there is no package to stage again.'
      );
    }
  } else if (!newestIsStaged) {
    return started
      ? `${restage}: until then its instances run as before.`
      : `Use 'cf start ${app.name}' to stage and start the app.`;
  } else if (!fits) {
    const why = `its droplet was staged for ${droplet ? on(droplet) : 'no stack'}, and`;
    return started
      ? `${restage}: ${why} 'cf restart' would not stage it again.`
      : `Use 'cf restage ${app.name}', not 'cf start': ${why} 'cf start' would not stage it again.`;
  }
  if (!started) return `Use 'cf start ${app.name}' to start the app.`;
  return changed ? `Use 'cf restart ${app.name}': its droplet fits, but its instances still run as before.` : undefined;
}

const on = (droplet: Droplet): string => (droplet.stack ? `stack '${droplet.stack}'` : 'another stack');
