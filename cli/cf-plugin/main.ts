/**
 * The cf CLI's plugin: one file that the CLI starts with the port of its own service and a command. Its exit status is
 * 0 or 1, as the CLI makes 1 of every other.
 */
import { toUnikError, UnikError } from '../../core/errors.js';
import { listApps } from './apps.js';
import { parseOrder, type Order } from './arguments.js';
import { COMMANDS, PLUGIN_METADATA, pluginMetadata } from './metadata.js';
import { CliService } from './rpc.js';
import { Screen } from './screen.js';
import { openSession, type Session } from './session.js';
import { disable, enable } from './switch.js';

const NOT_A_SHELL =
  'This is a plugin of the cf CLI. Install it with `cf install-plugin FILE`, then type `cf unik-apps`.';

async function main(words: readonly string[]): Promise<number> {
  const screen = new Screen(process, process.env);
  const [port, ...order] = words;
  if (port === undefined || !/^\d{1,5}$/.test(port) || order.length === 0) {
    process.stderr.write(`${NOT_A_SHELL}\n`);
    return 1;
  }
  if (order[0] === 'CLI-MESSAGE-UNINSTALL') return 0;
  let cli: CliService | undefined;
  try {
    const parsed = order[0] === 'SendMetadata' ? undefined : parseOrder(order);
    cli = await CliService.connect(Number(port));
    if (parsed === undefined) {
      const taken = await cli.call('SetPluginMetadata', PLUGIN_METADATA, pluginMetadata());
      if (taken !== true) throw new UnikError('bad_reply', 'the cf CLI refused the metadata of the plugin');
    } else {
      await carryOut(parsed, cli, screen);
    }
    return 0;
  } catch (err) {
    report(toUnikError(err), order[0], screen);
    return 1;
  } finally {
    cli?.close();
  }
}

async function carryOut(order: Order, cli: CliService, screen: Screen): Promise<void> {
  const session = await openSession(cli, process.env);
  try {
    await run(order, session, screen);
  } finally {
    await session.close();
  }
}

async function run(order: Order, session: Session, screen: Screen): Promise<void> {
  switch (order.command) {
    case 'enable-unik':
      return enable(order.wish, session, screen);
    case 'disable-unik':
      return disable(order.app, session, screen);
    case 'unik-apps':
      return listApps(order, session, screen);
  }
}

function report(error: UnikError, command: string | undefined, screen: Screen): void {
  if (error.code !== 'usage') {
    screen.failed(error.message, error.hint);
    return;
  }
  const text = COMMANDS.find(({ name }) => name === command);
  screen.failed(`Incorrect Usage: ${error.message}`, '');
  screen.say(`\nUSAGE:\n   ${text?.usage ?? 'cf help'}`);
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
