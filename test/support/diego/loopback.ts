import { execa } from 'execa';

/**
 * Keeps a program that insists on listening on every address (the gorouter does) out of reach of the network: drops
 * what comes to these TCP ports by any interface but `lo`. The kernel removes the rule when the `nft` that owns it ends,
 * so it cannot outlive the test. Needs root.
 */
export async function keepOnLoopback(ports: readonly number[]): Promise<() => Promise<void>> {
  if (process.getuid?.() !== 0)
    throw new Error('the gorouter listens on every address: only root can keep it on loopback');
  const table = `inet unik_test_${ports[0]}`;
  const guard = execa('setpriv', ['--pdeathsig', 'SIGKILL', '--', 'nft', '-i'], { stdin: 'pipe', reject: false });
  guard.stdin.write(
    [
      `add table ${table} { flags owner; }`,
      `add chain ${table} in { type filter hook input priority -300; }`,
      `add rule ${table} in iifname != "lo" tcp dport { ${ports.join(', ')} } drop`,
      '',
    ].join('\n'),
  );
  const close = async (): Promise<void> => {
    guard.kill('SIGTERM');
    await guard;
  };
  try {
    await untilGuarded(table);
  } catch (err) {
    await close();
    throw err;
  }
  return close;
}

async function untilGuarded(table: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    const { stdout } = await execa('nft', ['list', 'table', ...table.split(' ')], { reject: false });
    if (stdout.includes('drop')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nft did not make table ${table}`);
}
