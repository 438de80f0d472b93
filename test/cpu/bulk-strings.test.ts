import { describe, expect, it } from 'vitest';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';

/** REP MOVS and REP STOS by element size, then JMP to itself. */
const instructions: Readonly<Record<string, readonly number[]>> = {
  movsb: [0xf3, 0xa4], movsw: [0x66, 0xf3, 0xa5], movsd: [0xf3, 0xa5], movsq: [0xf3, 0x48, 0xa5],
  stosb: [0xf3, 0xaa], stosw: [0x66, 0xf3, 0xab], stosd: [0xf3, 0xab], stosq: [0xf3, 0x48, 0xab],
}; // prettier-ignore
const sizeOf: Readonly<Record<string, number>> = { b: 1, w: 2, d: 4, q: 8 };
const FROM = DATA + 0x1_0000;
const TO = DATA + 0x2_0000;
const LENGTH = 0x4000;

interface Case {
  readonly name: string;
  readonly from?: number;
  readonly to: number;
  readonly bytes: number;
  readonly down?: true;
}
const cases: readonly Case[] = [
  { name: 'within a page', to: TO, bytes: 0x100 },
  { name: 'over several pages', from: FROM + 0x123, to: TO + 0xf00, bytes: 0x2801 },
  { name: 'elements that cross pages', from: FROM + 0xffd, to: TO + 0xffb, bytes: 0x1100 },
  { name: 'downwards', from: FROM + 0x2000, to: TO + 0x1800, bytes: 0x1900, down: true },
  { name: 'onto itself, a little higher: what was written is read again', from: FROM, to: FROM + 3, bytes: 0x1234 },
  { name: 'onto itself, one element higher', from: FROM, to: FROM + 8, bytes: 0x1500 },
  { name: 'onto itself, lower', from: FROM + 5, to: FROM, bytes: 0x1234 },
  { name: 'onto the same place', from: FROM, to: FROM, bytes: 0x800 },
  { name: 'nothing', to: TO, bytes: 0 },
  { name: 'into its own page', from: FROM, to: CODE + 0x800, bytes: 0x700 },
];

/** One machine does for all: only what a case touches is set again. */
const shared = bareMachine();

function machineFor(name: string, c: Case, machine = shared): Machine {
  const code = instructions[name]!;
  machine.memory.poke(CODE, Uint8Array.from([...code, 0xeb, 0xfe]));
  machine.memory.poke(
    FROM,
    Uint8Array.from({ length: LENGTH }, (_, n) => (n * 7 + (n >> 8)) & 0xff),
  );
  const cpu = machine.cpus[0]!;
  for (const at of [TO - 0x100, CODE + 0x700]) machine.memory.poke(at, new Uint8Array(LENGTH));
  cpu.rip = BigInt(CODE);
  cpu.sysflags = c.down ? 0x400 : 0;
  cpu.setGpr(0, 0x8877_6655_4433_2211n);
  cpu.setGpr(1, BigInt(Math.floor(c.bytes / sizeOf[name.at(-1)!]!)));
  cpu.setGpr(6, BigInt(c.from ?? FROM));
  cpu.setGpr(7, BigInt(c.to));
  return machine;
}

/** Registers, count and all memory that a case can touch, after `ticks` in pieces of `piece` (1: single steps). */
function stateAfter(name: string, c: Case, ticks: number, piece: number): string {
  const machine = machineFor(name, c);
  const cpu = machine.cpus[0]!;
  const start = machine.instructions;
  const done = (): number => Number(machine.instructions - start);
  while (done() < ticks) {
    if (piece === 1) machine.step(0);
    else machine.run(Math.min(piece, ticks - done()));
  }
  const registers = [0, 1, 6, 7].map((n) => cpu.gpr(n).toString(16)).join(' ');
  const memory = [FROM - 0x100, TO - 0x100, CODE].map((at) => Buffer.from(machine.memory.peek(at, LENGTH)!).toString('base64'));
  return `${registers} rip ${cpu.rip.toString(16)} after ${done()} ${memory.join(' ')}`;
}

describe.each(Object.keys(instructions))('rep %s', (name) => {
  it.each(cases)('$name: as an iteration at a time, whatever the budget', (c) => {
    const total = Math.floor(c.bytes / sizeOf[name.at(-1)!]!) + 3;
    for (const ticks of [1, 64, 65, 200, total - 4, total - 3, total + 100].filter((n) => n > 0)) {
      const whole = stateAfter(name, c, ticks, ticks);
      expect(whole === stateAfter(name, c, ticks, 97)).toBe(true);
      if (ticks <= 200) expect(whole === stateAfter(name, c, ticks, 1)).toBe(true);
    }
  });
});

describe('what ends a bulk', () => {
  it('a page that is not mapped: everything before it was done', () => {
    const machine = machineFor('stosq', { name: '', to: 0x3fff_ff00, bytes: 0x1000 }, bareMachine());
    // The last page that is mapped is beyond RAM, so map it onto RAM: PD entry 511.
    machine.memory.write64(0x3000 + 511 * 8, 0x87n | 0x20_0000n);
    expect(machine.run(10_000).kind).toBe('triple-fault');
    const cpu = machine.cpus[0]!;
    expect([cpu.gpr(7), cpu.gpr(1), cpu.cr2]).toEqual([0x4000_0000n, 0x1000n / 8n - 0x20n, 0x4000_0000n]);
  });
  it('a watchpoint in the middle', () => {
    const machine = machineFor('movsb', { name: '', to: TO, bytes: 0x3000 }, bareMachine());
    machine.addWatchpoint({ address: BigInt(TO + 0x1234), length: 1, access: 'write' });
    expect(machine.run(100_000).kind).toBe('watchpoint');
    expect(machine.cpus[0]!.gpr(7)).toBe(BigInt(TO + 0x1235));
    expect(machine.memory.read(TO + 0x1235, 1)).toBe(0);
  });
  it('code that was executed: it is decoded again', () => {
    // rep stosb over the instruction after it: 40 (rex) c3... inc eax becomes nop (0x90)
    const machine = bareMachine();
    machine.memory.poke(CODE, Uint8Array.from([0xff, 0xc3, 0xf3, 0xaa, 0xff, 0xc3, 0xeb, 0xfe])); // inc ebx; rep stosb; inc ebx; jmp .
    const cpu = machine.cpus[0]!;
    cpu.setGpr(0, 0x90n);
    cpu.setGpr(1, 2n);
    cpu.setGpr(7, BigInt(CODE + 4));
    machine.run(1000);
    expect(cpu.gpr32(3)).toBe(1);
  });
  it('a timer: the interrupt finds the registers between two iterations', () => {
    const whole = machineFor('stosb', { name: '', to: TO, bytes: 0x4000 }, bareMachine());
    whole.run(1000);
    expect(whole.cpus[0]!.gpr(1)).toBe(0x4000n - 1000n);
    expect(whole.cpus[0]!.gpr(7)).toBe(BigInt(TO + 1000));
    expect(whole.instructions).toBe(1000n);
  });
});
