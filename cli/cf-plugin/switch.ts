import { UnikError } from '../../core/errors.js';
import type { EnableWish } from './arguments.js';
import { decideDisable, decideEnable, type Change } from './decide.js';
import { stackOf } from './endpoint.js';
import { nextStep } from './next-step.js';
import type { Screen } from './screen.js';
import type { Session } from './session.js';
import type { App } from './shapes.js';

/** `cf enable-unik`. */
export async function enable(wish: EnableWish, session: Session, screen: Screen): Promise<void> {
  const { cloud, space, ask } = session;
  screen.doing(`Enabling unikernels for app ${screen.strong(wish.app)}`, session);
  const app = await cloud.app(wish.app, space.guid);
  const stack = wish.endpoint === undefined ? stackNamed(wish.provider) : await stackOf(wish.endpoint, ask);
  const change = decideEnable({
    app,
    variables: await cloud.variables(app.guid),
    stacks: await cloud.stacks(),
    buildpacks: await cloud.buildpacks(app.lifecycle.data.buildpacks ?? []),
    stack,
    ...(wish.endpoint === undefined ? {} : { endpoint: wish.endpoint }),
    ...(wish.guest === undefined ? {} : { guest: wish.guest }),
  });
  if (change.patch === undefined && change.variables === undefined) {
    screen.say(`Unikernels are already enabled for app '${app.name}': its stack is '${stack}'.`);
  }
  await carryOut(app, change, session, screen);
}

/** `cf disable-unik`. */
export async function disable(name: string, session: Session, screen: Screen): Promise<void> {
  const { cloud, space } = session;
  screen.doing(`Disabling unikernels for app ${screen.strong(name)}`, session);
  const app = await cloud.app(name, space.guid);
  const change = decideDisable({
    app,
    variables: await cloud.variables(app.guid),
    stacks: await cloud.stacks(),
    buildpacks: await cloud.buildpacks(app.lifecycle.data.buildpacks ?? []),
  });
  if (change === undefined) {
    screen.say(
      `Unikernels are not enabled for app '${app.name}': its stack is '${app.lifecycle.data.stack ?? 'none'}'.`,
    );
    screen.ok();
    return;
  }
  await carryOut(app, change, session, screen);
}

const stackNamed = (provider: string | undefined): string => (provider === undefined ? 'unik' : `unik-${provider}`);

/** Variables first: were the stack changed and they not, the next staging would make another kind of unikernel. */
async function carryOut(app: App, change: Change, { cloud }: Session, screen: Screen): Promise<void> {
  if (change.variables !== undefined) await cloud.setVariables(app.guid, change.variables);
  if (change.patch !== undefined) await cloud.change(app.guid, change.patch);
  const after = await cloud.appByGuid(app.guid);
  const { stack } = after.lifecycle.data;
  if (stack !== change.stack) {
    throw new UnikError(
      'cf_refused',
      `the platform took the change, but the stack of '${app.name}' is '${stack ?? 'none'}'`,
    );
  }
  const before = app.lifecycle.data.stack ?? 'none';
  if (before !== stack) screen.say(`Stack: ${before} -> ${stack}`);
  for (const [name, value] of Object.entries(change.variables ?? {})) {
    screen.say(value === null ? `Variable ${name}: removed` : `Variable ${name}: ${value}`);
  }
  screen.ok();
  for (const warning of change.warnings) screen.warn(warning);
  const newest = await cloud.newestPackage(app.guid);
  const tip = nextStep({
    app: after,
    stack,
    newest,
    newestIsStaged: newest !== undefined && (await cloud.isStaged(newest.guid)),
    droplet: await cloud.currentDroplet(app.guid),
    changed: before !== stack,
  });
  if (tip !== undefined) screen.tip(tip);
}
