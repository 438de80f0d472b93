import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { frame } from '../../src/gdbstub/wire/encoding.ts';
import { parseAddress } from '../../src/gdbstub/transports/address.ts';
import { TransportError } from '../../src/gdbstub/transports/connection.ts';
import { stdioConnection } from '../../src/gdbstub/transports/stdio.ts';
import { listenTcp } from '../../src/gdbstub/transports/tcp.ts';
import { listenUnix } from '../../src/gdbstub/transports/unix.ts';
import { startHarness, type Harness } from './harness.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function harness(options: Parameters<typeof startHarness>[0] = {}): Promise<Harness> {
  const h = await startHarness(options);
  cleanups.push(() => h.close());
  return h;
}

/** Waits for a state that follows from a socket event. */
async function eventually(test: () => boolean): Promise<void> {
  const limit = performance.now() + 5000;
  while (!test() && performance.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(test()).toBe(true);
}

/** A raw client: what it was sent, and the end of the connection. */
function dial(h: Harness): { socket: Socket; received: () => string; until: (text: string) => Promise<string>; closed: Promise<void> } {
  const socket = connect(Number(h.listener.address.split(':').pop()), '127.0.0.1');
  cleanups.push(() => socket.destroy());
  let text = '';
  let check = (): void => {};
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    check();
  });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const until = (wanted: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(text)}`)), 5000);
      check = () => {
        if (!text.includes(wanted)) return;
        clearTimeout(timer);
        resolve(text);
        text = '';
      };
      check();
    });
  return { socket, received: () => text, until, closed };
}

describe('addresses', () => {
  test.each([
    ['tcp:127.0.0.1:1234', { kind: 'tcp', host: '127.0.0.1', port: 1234 }],
    ['tcp::1234', { kind: 'tcp', host: '127.0.0.1', port: 1234 }],
    ['tcp:1234', { kind: 'tcp', host: '127.0.0.1', port: 1234 }],
    ['tcp:[::1]:1', { kind: 'tcp', host: '::1', port: 1 }],
    ['tcp:0.0.0.0:0', { kind: 'tcp', host: '0.0.0.0', port: 0 }],
    ['unix:/tmp/a:b', { kind: 'unix', path: '/tmp/a:b' }],
    ['stdio', { kind: 'stdio' }],
    ['none', { kind: 'none' }],
  ])('%s', (text, address) => expect(parseAddress(text)).toEqual(address));
  test.each([
    ['', /expected tcp/],
    ['1234', /expected tcp/],
    ['tcp:', /port is missing/],
    ['tcp:host:', /port is missing/],
    ['tcp:host:65536', /65536 is not a port/],
    ['tcp:host:gdb', /gdb is not a port/],
    ['unix:', /path is missing/],
    ['pipe:x', /expected tcp/],
  ])('%j is refused', (text, message) => {
    expect(() => parseAddress(text)).toThrow(TransportError);
    expect(() => parseAddress(text)).toThrow(message);
  });
});

describe('TCP', () => {
  test('a busy port is named', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => other.close());
    const { port } = other.address() as AddressInfo;
    await expect(listenTcp('127.0.0.1', port, () => {})).rejects.toThrow(new RegExp(`port ${port} on 127.0.0.1 is in use`));
  });

  test('an address of another machine is refused', async () => {
    await expect(listenTcp('192.0.2.1', 0, () => {})).rejects.toThrow(/192.0.2.1 is not an address of this machine/);
  });

  test('the first client is served, a second one is told why not, the first goes on', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(frame('qC'));
    await first.until('QC1');
    const second = dial(h);
    second.socket.write(frame('qSupported'));
    expect(await second.until('E.another debugger is attached')).toContain('+$E.');
    await second.closed;
    first.socket.write(frame('qC'));
    await first.until('QC1');
    expect(h.messages.join()).toContain('refused');
  });

  test('after a dropped connection the breakpoints are gone and the next client is served', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(Buffer.concat([frame('Z0,100007,1'), frame('vCont;c')]));
    await first.until('T05');
    expect(h.machine.breakpointCount).toBe(1);
    first.socket.destroy();
    await eventually(() => !h.server.attached);
    expect(h.machine.breakpointCount).toBe(0);
    const second = dial(h);
    second.socket.write(frame('?'));
    await second.until('T05');
  });

  test('a client that disconnects while the machine runs leaves it stopped', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(frame('vCont;c'));
    await first.until('+');
    await new Promise((resolve) => setTimeout(resolve, 20));
    first.socket.destroy();
    await eventually(() => !h.server.attached);
    expect(h.server.runner.running).toBe(false);
  });

  test('detach runs the machine on; connecting stops it', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(frame('D'));
    await first.until('$OK');
    await first.closed;
    expect(h.server.runner.running).toBe(true);
    const second = dial(h);
    second.socket.write(frame('?'));
    await second.until('T05');
    expect(h.server.runner.running).toBe(false);
  });

  test('an extended-remote client that detached and leaves does not stop the machine', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(Buffer.concat([frame('!'), frame('D;1')]));
    await first.until('$OK#9a+$OK');
    expect(h.server.runner.running).toBe(true);
    first.socket.destroy();
    await eventually(() => !h.server.attached);
    expect(h.server.runner.running).toBe(true);
  });

  test('kill resets the machine and leaves it stopped', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write(Buffer.concat([frame('vCont;s:1'), frame('k')]));
    await first.closed;
    expect(h.machine.resets).toBe(1);
    expect(h.server.runner.running).toBe(false);
  });

  test('a step is answered in one write with its acknowledgement', async () => {
    const h = await harness();
    const { socket } = dial(h);
    const chunk = await new Promise<string>((resolve) => {
      socket.once('data', (data) => resolve(String(data)));
      socket.write(frame('vCont;s:1'));
    });
    expect(chunk).toMatch(/^\+\$T05.*#..$/);
  });

  test('garbage on the port harms nobody', async () => {
    const h = await harness();
    const first = dial(h);
    first.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n$$$###\x03\x03');
    first.socket.write(Buffer.alloc(300_000, 0x24));
    first.socket.end(Buffer.alloc(300_000, 0xff));
    await new Promise((resolve) => setTimeout(resolve, 100));
    first.socket.destroy();
    await eventually(() => !h.server.attached);
    const second = dial(h);
    second.socket.write(frame('qC'));
    await second.until('QC1');
  });

  test('power-off is told to the client, then to the program', async () => {
    const told: string[] = [];
    const h = await harness({ code: Uint8Array.from([0xe6, 0xf4]), server: { onStop: (reason) => void told.push(reason.kind) } });
    const first = dial(h);
    first.socket.write(frame('vCont;c'));
    await first.until('$W00#');
    expect(told).toEqual(['power-off']);
  });

  test('monitor quit ends the connection and tells the program', async () => {
    let quit = false;
    const h = await harness({
      monitor: { execute: () => ({ text: '', quit: true }), release: () => {} },
      server: { onQuit: () => void (quit = true) },
    });
    const first = dial(h);
    first.socket.write(frame('qRcmd,71756974'));
    await first.until('$OK');
    await first.closed;
    expect(quit).toBe(true);
  });
});

describe('Unix socket', () => {
  const directory = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'vmxscope-'));
    cleanups.push(() => rmSync(path, { recursive: true, force: true }));
    return path;
  };

  test('serves, and is removed when closed', async () => {
    const path = join(directory(), 's');
    const got = new Promise<string>((resolve) => {
      void listenUnix(path, (connection) => {
        connection.onData((bytes) => resolve(Buffer.from(bytes).toString()));
      }).then((listener) => cleanups.push(listener.close));
    });
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
    const client = connect(path);
    client.write('hello');
    expect(await got).toBe('hello');
    client.destroy();
  });

  test('a path in use is refused, a file is not replaced', async () => {
    const dir = directory();
    const path = join(dir, 's');
    const listener = await listenUnix(path, () => {});
    cleanups.push(listener.close);
    await expect(listenUnix(path, () => {})).rejects.toThrow(/is in use/);
    const file = join(dir, 'file');
    writeFileSync(file, 'precious');
    await expect(listenUnix(file, () => {})).rejects.toThrow(/not a socket: not replaced/);
    expect(existsSync(file)).toBe(true);
  });
});

test('stdio', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const connection = stdioConnection(input, output);
  const got = new Promise<string>((resolve) => connection.onData((bytes) => resolve(Buffer.from(bytes).toString())));
  const closed = new Promise<void>((resolve) => connection.onClose(resolve));
  input.write('+');
  expect(await got).toBe('+');
  connection.write(Buffer.from('$OK#9a'));
  expect(String(output.read())).toBe('$OK#9a');
  input.end();
  await closed;
});
