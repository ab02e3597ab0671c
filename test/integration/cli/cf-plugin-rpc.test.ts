/** The plugin's side of net/rpc, over sockets: what a connection that ends costs. */
import { afterEach, expect, test } from '@jest/globals';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { GobDecoder } from '../../../cli/cf-plugin/gob/decode.js';
import { GobEncoder, concat } from '../../../cli/cf-plugin/gob/encode.js';
import { CliService } from '../../../cli/cf-plugin/rpc.js';

const RESPONSE = {
  struct: 'Response',
  fields: [
    ['ServiceMethod', 'string'],
    ['Seq', 'uint'],
    ['Error', 'string'],
  ],
} as const;

type Say = (socket: Socket, bytes: Uint8Array, connection: number) => void;
let server: Server | undefined;
afterEach(() => void server?.close());

/** Answers every call with its method's name, by way of `say`; gives the port and how many connections there were. */
async function cliThat(say: Say): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const listening = createServer((socket) => {
    connections += 1;
    const which = connections;
    const decoder = new GobDecoder();
    const encoder = new GobEncoder();
    let header: ReturnType<GobDecoder['take']>;
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      decoder.feed(chunk);
      for (;;) {
        header ??= decoder.take();
        if (!header || !decoder.take()) return;
        const { ServiceMethod, Seq = 0 } = header.value as { ServiceMethod: string; Seq?: number };
        header = undefined;
        const parts = [
          encoder.encode(RESPONSE, { ServiceMethod, Seq, Error: '' }),
          encoder.encode('string', ServiceMethod),
        ];
        say(socket, concat(parts), which);
      }
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return { port: (listening.address() as AddressInfo).port, connections: () => connections };
}

async function twoCalls(port: number): Promise<string[]> {
  const cli = await CliService.connect(port);
  try {
    return [await cli.text('ApiEndpoint'), await cli.text('AccessToken')];
  } finally {
    cli.close();
  }
}

const BOTH = ['CliRpcCmd.ApiEndpoint', 'CliRpcCmd.AccessToken'];

test('answers are put together from whatever pieces they come in', async () => {
  const { port, connections } = await cliThat((socket, bytes) => {
    socket.setNoDelay();
    void (async () => {
      for (const byte of bytes) {
        socket.write(Uint8Array.of(byte));
        await new Promise(setImmediate);
      }
    })();
  });
  expect(await twoCalls(port)).toEqual(BOTH);
  expect(connections()).toBe(1);
});

test.each<[what: string, say: Say]>([
  ['before its answer', (socket, bytes, which) => (which === 1 ? socket.end() : socket.write(bytes))],
  [
    'in the middle of its answer',
    (socket, bytes, which) => (which === 1 ? socket.end(bytes.subarray(0, 9)) : socket.write(bytes)),
  ],
  ['after its answer', (socket, bytes, which) => (which === 1 ? socket.end(bytes) : socket.write(bytes))],
  ['by a reset', (socket, bytes, which) => (which === 1 ? socket.resetAndDestroy() : socket.write(bytes))],
])('a connection that ends %s costs the command nothing', async (_what, say) => {
  const { port, connections } = await cliThat(say);
  expect(await twoCalls(port)).toEqual(BOTH);
  expect(connections()).toBe(2);
});

test('a CLI that is gone is said to be, and at which call', async () => {
  const { port } = await cliThat((socket) => {
    server?.close();
    socket.end();
  });
  await expect(twoCalls(port)).rejects.toMatchObject({
    code: 'peer_unreachable',
    message: "the cf CLI's plugin service: it ended while it was asked for ApiEndpoint",
  });
});

test('one that ends every connection is asked twice, not for ever', async () => {
  const { port, connections } = await cliThat((socket) => void socket.end());
  await expect(twoCalls(port)).rejects.toMatchObject({ code: 'peer_unreachable' });
  expect(connections()).toBe(2);
});
