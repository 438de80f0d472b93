/**
 * Events in a row: faults, INT n and IRET as emitted code does them, against the general way one instruction at a time. The
 * state is the same after any number of ticks, RF included, whatever instruction follows an IRET that set it.
 */
import { describe, expect, it } from 'vitest';
import { selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Machine, MachineOptions } from '../../src/machine/machine.ts';
import type { Snapshot } from '../../src/machine/snapshot.ts';
import { bareMachine, CODE, DATA, STACK } from '../support/bare-machine.ts';
import { bytes, cpuState, EAGER } from './pair.ts';
import { GDT, IDT, S, TSS } from './quick-cases.ts';

/** The address of the entry that maps the page of 2 MiB at 800000h; its first byte has the present bit. */
const ENTRY = '20 30 00 00';

/** Handlers by vector, at HANDLERS + vector * 64. */
const HANDLERS = 0xa000;
const SKIP = '48 83 04 24 02 48 cf'; // add qword [rsp], 2; iretq
const handlers: Readonly<Record<number, string>> = {
  0: SKIP,
  3: '48 cf',
  6: SKIP,
  13: `48 83 c4 08 ${SKIP}`,
  14: `50 80 0c 25 ${ENTRY} 01 58 48 83 c4 08 48 cf`, // push rax; or byte [ENTRY], 1; pop rax; add rsp, 8; iretq
  0x40: `80 24 25 ${ENTRY} fe 0f 01 3c 25 00 00 80 00 48 cf`, // and byte [ENTRY], 0xfe; invlpg [800000h]; iretq
};

interface Program {
  readonly name: string;
  /** Before the UD2, whose handler returns with RF, and behind it. */
  readonly before?: string;
  readonly code: string;
}

const programs: readonly Program[] = [
  { name: 'an addition', code: '83 c0 01' },
  { name: 'a load of a page that is not there', code: '48 03 04 25 00 00 80 00' },
  { name: 'a load through GS of a page that is not there', code: '65 48 03 04 25 00 00 80 00' },
  { name: 'UD2', code: '0f 0b' },
  { name: 'a division by zero', code: 'f7 f3' },
  { name: 'an instruction in TypeScript', code: '0f a2 31 db' }, // cpuid; xor ebx, ebx
  { name: 'a helper that faults', code: 'b9 78 56 34 12 0f 0b 0f 32' }, // mov ecx, 12345678h; ud2; rdmsr
  { name: 'PUSHF', code: '9c 59' },
  { name: 'INT n', code: 'cd 40' },
  { name: 'INT3', code: 'cc' },
  { name: 'POPF', before: '9c', code: '9d' },
  { name: 'a jump', code: 'eb 01 90' },
  { name: 'a call', code: 'e8 00 00 00 00 59' },
  { name: 'LODSB', before: 'be 00 00 30 00', code: 'ac' },
  { name: 'REP MOVSB', before: 'be 00 00 30 00 bf 00 01 30 00 b9 05 00 00 00', code: 'f3 a4' },
  { name: 'REPNE SCASB', before: 'bf 00 01 30 00 b9 05 00 00 00 30 c0', code: 'f2 ae' },
  { name: 'REP MOVSB into a page that is not there', before: 'be 00 00 30 00 bf fe ff 7f 00 b9 05 00 00 00', code: 'f3 a4' },
  { name: 'a vector instruction', code: '66 0f fe 04 25 00 00 80 00' },
  { name: 'a store and its branch', code: '48 89 04 25 00 00 80 00 eb 00' },
];

const TICKS = 420;

/** A machine that is put back to its beginning for each program. */
function reusable(accel: MachineOptions['accel']): () => Machine {
  let made: { machine: Machine; fresh: Snapshot } | undefined;
  return () => {
    if (!made) {
      const machine = bareMachine({ accel: accel! });
      made = { machine, fresh: machine.snapshot() };
    } else made.machine.restore(made.fresh);
    return made.machine;
  };
}
const generalMachine = reusable({ mode: 'interp' });

function prepare(machine: Machine, { before = '', code }: Program, cpl: 0 | 3): Snapshot {
  const { memory } = machine;
  const cpu = machine.cpus[0]!;
  memory.write64(GDT + 0x20, 0x00cff3000000ffffn);
  memory.write64(GDT + 0x28, 0x00affb000000ffffn);
  for (const [vector, hex] of Object.entries(handlers)) {
    const at = HANDLERS + Number(vector) * 64;
    memory.poke(at, bytes(hex));
    memory.write64(IDT + Number(vector) * 16, BigInt(at) | (BigInt(S.code0) << 16n) | (0xee00n << 32n));
  }
  memory.write64(TSS + 4, BigInt(STACK - 0x1000));
  cpu.setU64(L.IDTR_BASE, BigInt(IDT));
  cpu.setU32(L.IDTR_LIMIT, 0x41 * 16 - 1);
  cpu.setU32(L.GDTR_LIMIT, 0x3f);
  cpu.segments[L.TR]!.load(S.tss, BigInt(TSS), 0x67, 0x8b);
  const body = `${before} 0f 0b ${code} cd 40`;
  const length = bytes(body).length + 5;
  memory.poke(CODE, bytes(`${body} e9`));
  memory.write(CODE + length - 4, 4, -length >>> 0);
  for (let at = 0; at < 0x200; at += 8) memory.write64(DATA + at, (BigInt(at) * 0x0123_4567_89ab_cdefn) & 0xffff_ffff_ffff_ffffn);
  for (const n of [0, 1, 2, 3, 6, 7]) cpu.setGpr(n, 0n);
  if (cpl === 3) {
    cpu.segments[L.CS]!.load(S.code3, 0n, 0xffff_ffff, 0xa0fb);
    cpu.segments[L.SS]!.load(S.data3, 0n, 0xffff_ffff, 0xc0f3);
    cpu.setU32(L.CPL, 3);
    selectTlb(cpu);
  }
  return machine.snapshot();
}

/** Arithmetic flags as they read: each way has its own symbolic form. */
function state(machine: Machine): unknown {
  const s = cpuState(machine) as { block: string };
  return { ...s, block: s.block.slice(0, L.RES * 2) + s.block.slice(L.SYSFLAGS * 2) };
}

const ram = ({ linear }: Machine): Buffer => Buffer.from(linear.u8.buffer, linear.u8.length - linear.ramSize, linear.ramSize);

/** The states after each tick, in the general way. */
function generalStates(program: Program, cpl: 0 | 3): { states: unknown[]; machine: Machine } {
  const machine = generalMachine();
  prepare(machine, program, cpl);
  machine.cpus[0]!.quick = undefined;
  const states = [state(machine)];
  for (let n = 0; n < TICKS; n++) {
    machine.step(0);
    states.push(state(machine));
  }
  return { states, machine };
}

const machines = [
  ['interpreted', reusable({ mode: 'interp' })],
  ['compiled', reusable(EAGER)],
  ['compiled at once', reusable({ mode: 'jit', threshold: 1 })],
] as const;

describe.each([0, 3] as const)('after an IRET that set RF, at CPL %i', (cpl) => {
  it.each(programs)('$name', (program) => {
    const { states, machine: general } = generalStates(program, cpl);
    for (const [name, make] of machines) {
      const machine = make();
      const fresh = prepare(machine, program, cpl);
      for (let ticks = TICKS; ticks > 60; ticks -= 29) {
        machine.restore(fresh);
        machine.run(ticks);
        expect(state(machine), `${name}, after ${ticks} ticks`).toEqual(states[ticks]);
      }
      // And one after another, from wherever the last one ended.
      machine.restore(fresh);
      for (let done = 0, piece = 70; done < TICKS; done += piece, piece++) {
        piece = Math.min(piece, TICKS - done);
        machine.run(piece);
        expect(state(machine), `${name}, in pieces, after ${done + piece}`).toEqual(states[done + piece]);
      }
      expect(Buffer.compare(ram(machine), ram(general))).toBe(0);
    }
  });
});

it('the quick way is the one that is taken: TypeScript delivers next to nothing', () => {
  const machine = bareMachine({ accel: { mode: 'interp' } });
  prepare(machine, programs[0]!, 3);
  machine.run(1000); // the TLB knows everything
  const cpu = machine.cpus[0]!;
  let delivered = 0;
  const { quick } = cpu;
  cpu.quick = { deliver: (...args) => (delivered++, quick!.deliver(...args)), iret: (...args) => (delivered++, quick!.iret(...args)) };
  machine.run(100_000);
  expect(delivered).toBeLessThan(10);
});
