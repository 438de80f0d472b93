import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { CODE } from '../../test/support/bare-machine.ts';

export interface StubSpeeds {
  readonly stepsPerSecond: number;
  readonly stopsPerSecond: number;
  readonly readMegabytesPerSecond: number;
}

const ROUNDS = 5000;
const READS = 800;
const READ_SIZE = 0x4000 / 2;

/** Packets over loopback, one after the other, as a debugger sends them. */
export async function stubSpeeds(): Promise<StubSpeeds> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'stub-server.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [address] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(/(\d+)\s*$/.exec(address.toString())![1]);
  const socket = connect(port, '127.0.0.1').setNoDelay();
  await once(socket, 'connect');
  const ask = conversation(socket);
  await ask('qSupported:swbreak+;vContSupported+');
  await ask('QStartNoAckMode');
  await ask('?');
  const steps = await rate(ROUNDS, () => ask('vCont;s:1'));
  await ask(`Z0,${(CODE + 2).toString(16)},1`);
  const stops = await rate(ROUNDS, () => ask('vCont;c'));
  const reads = await rate(READS, () => ask(`m300000,${READ_SIZE.toString(16)}`));
  socket.destroy();
  child.stdin.end();
  return { stepsPerSecond: steps, stopsPerSecond: stops, readMegabytesPerSecond: (reads * READ_SIZE) / 1e6 };
}

async function rate(rounds: number, round: () => Promise<string>): Promise<number> {
  for (let n = 0; n < rounds / 4; n++) await round();
  const started = process.hrtime.bigint();
  for (let n = 0; n < rounds; n++) await round();
  return rounds / (Number(process.hrtime.bigint() - started) / 1e9);
}

/** Sends a packet and gives its reply. */
function conversation(socket: Socket): (packet: string) => Promise<string> {
  let text = '';
  let waiting: ((reply: string) => void) | undefined;
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
    const end = text.indexOf('#', text.indexOf('$'));
    if (end < 0 || text.length < end + 3) return;
    const reply = text.slice(text.indexOf('$') + 1, end);
    text = text.slice(end + 3);
    waiting?.(reply);
  });
  return (packet) =>
    new Promise((resolve) => {
      waiting = resolve;
      const sum = [...packet].reduce((n, c) => (n + c.charCodeAt(0)) & 0xff, 0);
      socket.write(`$${packet}#${sum.toString(16).padStart(2, '0')}`);
    });
}
