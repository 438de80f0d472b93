import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { frame } from '../../src/gdbstub/wire/encoding.ts';
import { Session } from '../../src/gdbstub/session.ts';
import { MachineTarget } from '../../src/gdbstub/machine/machine-target.ts';
import { createMonitor } from '../../src/gdbstub/monitor/index.ts';
import { packetDocs } from '../../src/gdbstub/packets/index.ts';
import { payloads } from './client.ts';
import { fakeTarget } from './fake-target.ts';
import { LOOP, START } from './harness.ts';
import { ToyMachine } from './toy-machine.ts';

const RUNS = { numRuns: 2000, seed: 20261122 };
const bytes = fc.uint8Array({ maxLength: 200 });
/** Starts of real packets, followed by plausible and implausible arguments. */
const names = [
  ...packetDocs.map((d) => d.packet.replace(/[ [,;:=].*$/, '')),
  'vCont;s',
  'vCont;r1,2',
  'qXfer:features:read:',
  'vFile:open:',
  'vFile:pread:',
  'qRcmd,',
  'Z0,',
  'Hg',
  'qThreadExtraInfo,',
];
const argument = fc.string({ unit: fc.constantFrom(...'0123456789abcdef,;:-.=p1#$}*zQ\x03\xff'), maxLength: 24 });
const packet = fc.tuple(fc.constantFrom(...names), argument).map(([name, args]) => name + args);

/** What a driver would do: every resume stops at once. */
function drive(session: Session, input: Uint8Array): Buffer {
  const out: Buffer[] = [];
  let output = session.receive(input);
  for (let n = 0; n < 1000; n++) {
    out.push(output.bytes);
    if (!session.running) break;
    output = session.stopped({ kind: 'signal', thread: 1, signal: 5 });
  }
  return Buffer.concat(out);
}

describe('whatever arrives', () => {
  test('random bytes: no exception, bounded memory, well-formed output', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 10 }), (chunks) => {
        const faults: unknown[] = [];
        const session = new Session(fakeTarget(), (error) => void faults.push(error));
        for (const chunk of chunks) payloads(drive(session, chunk));
        expect(faults).toEqual([]);
        expect(session.heldBytes).toBeLessThan(4096);
      }),
      RUNS,
    );
  });

  test('nearly right packets on a fake target: each is answered', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
        const faults: unknown[] = [];
        const session = new Session(fakeTarget(), (error) => void faults.push(error));
        for (const p of packets) payloads(drive(session, frame(p)));
        expect(faults).toEqual([]);
      }),
      RUNS,
    );
  });

  test('nearly right packets on a machine', () => {
    const machine = new ToyMachine(2, START, LOOP);
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 20 }), (packets) => {
        const faults: unknown[] = [];
        const target = new MachineTarget(machine, { monitor: createMonitor(machine) });
        const session = new Session(target, (error) => void faults.push(error));
        for (const p of packets) payloads(drive(session, frame(p)));
        target.release();
        expect(faults).toEqual([]);
      }),
      RUNS,
    );
  });

  test('a packet that never ends does not grow', () => {
    const session = new Session(fakeTarget());
    session.receive(Buffer.from('$'));
    const chunk = Buffer.alloc(0x1_0000, 0x61);
    for (let n = 0; n < 100; n++) session.receive(chunk);
    expect(session.heldBytes).toBeLessThanOrEqual(0x2_0000);
    expect(payloads(session.receive(Buffer.from('#00')).bytes), 'the checksum happens to be right').toEqual(['E5a']);
  });

  test('packets sent without waiting while the machine runs do not grow', () => {
    const session = new Session(fakeTarget());
    session.receive(frame('c'));
    const chunk = Buffer.concat(Array.from({ length: 1000 }, () => frame('m1000,ffff')));
    for (let n = 0; n < 100; n++) session.receive(chunk);
    expect(session.heldBytes).toBeLessThanOrEqual(0x4_0000);
  });
});
