/**
 * An instruction's quick way against its TypeScript: the same program on two machines, of which one is observed, so that it
 * takes no quick way. Afterwards all of CPU and memory is the same. Who executed the instruction is counted.
 */
import { expect, it } from 'vitest';
import { Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import type { Helper } from '../../src/machine/cpu/helper.ts';
import { controlInstructions } from '../../src/machine/cpu/instructions/index.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { systemInstructions } from '../../src/machine/cpu/system/index.ts';
import { syncContext } from '../../src/machine/cpu/mmu/contexts.ts';
import { selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { vmxInstructions } from '../../src/machine/vmx/instructions.ts';
import type { Snapshot } from '../../src/machine/snapshot.ts';
import { bareMachine, CODE, DATA, STACK } from '../support/bare-machine.ts';
import { bytes, cpuState, numbers } from './pair.ts';

export const GDT = 0x5000;
export const IDT = 0x6000;
export const TSS = 0x8000;
/** Where exceptions and calls arrive: a jump to itself. */
export const HANDLER = 0xa000;

/** Selectors. */
export const S = { code0: 0x08, data0: 0x10, code32: 0x18, data3: 0x23, code3: 0x2b, tss: 0x30 } as const;

export interface QuickCase {
  readonly name: string;
  /** Bytes of the instruction, and its row's name. */
  readonly code: string;
  readonly row: string;
  readonly cpl?: 0 | 3;
  /** The quick way leaves it to TypeScript. */
  readonly general?: true;
  /** The state that matters, after everything was filled at random. `random` gives 64 bits. */
  prepare?(cpu: Cpu, random: () => bigint, machine: Machine): void;
}

/** Seeds per case. */
const ROUNDS = 8;

/** How often TypeScript executed an instruction, by row. */
const executed = new Map<string, number>();

/** The two machines, made once: they are put back to the beginning for each program. */
let machines: readonly { readonly machine: Machine; readonly fresh: Snapshot }[] | undefined;

function makeMachines(): NonNullable<typeof machines> {
  // A machine takes its instructions from these tables when it is made.
  const tables: readonly Record<string, Helper>[] = [systemInstructions, controlInstructions, vmxInstructions];
  const originals = tables.map((table) => ({ ...table }));
  for (const table of tables) for (const [row, helper] of Object.entries(table)) table[row] = counted(row, helper);
  try {
    return [false, true].map((observed) => {
      const machine = bareMachine({ accel: { mode: 'interp' } });
      if (observed) machine.observe({ interrupt: () => {} });
      return { machine, fresh: machine.snapshot() };
    });
  } finally {
    for (const [n, table] of tables.entries()) Object.assign(table, originals[n]);
  }
}

const counted =
  (row: string, helper: Helper): Helper =>
  (cpu, insn) => {
    executed.set(row, (executed.get(row) ?? 0) + 1);
    helper(cpu, insn);
  };

function setUp(machine: Machine, c: QuickCase, seed: number): void {
  const { memory } = machine;
  const cpu = machine.cpus[0]!;
  const small = numbers(seed * 7919 + 1);
  const random = (): bigint => BigInt(small.next().value) | (BigInt(small.next().value) << 24n) | (BigInt(small.next().value & 0xffff) << 48n);
  memory.write64(GDT + 0x18, 0x00cf9b000000ffffn);
  memory.write64(GDT + 0x20, 0x00cff3000000ffffn);
  memory.write64(GDT + 0x28, 0x00affb000000ffffn);
  for (let n = 0; n < 32; n++) memory.write64(IDT + n * 16, BigInt(HANDLER) | (BigInt(S.code0) << 16n) | (0x8e00n << 32n));
  memory.write64(TSS + 4, BigInt(STACK - 0x1000));
  cpu.setU64(L.IDTR_BASE, BigInt(IDT));
  cpu.setU32(L.IDTR_LIMIT, 32 * 16 - 1);
  cpu.setU32(L.GDTR_LIMIT, 0x3f);
  cpu.segments[L.TR]!.load(S.tss, BigInt(TSS), 0x67, 0x8b);
  for (const at of [HANDLER, HANDLER + 0x1_0000]) memory.poke(at, bytes('eb fe'));
  memory.poke(CODE, bytes(`${c.code} eb fe`));
  for (let at = 0; at < 0x200; at += 8) memory.write64(DATA + at, random());
  for (let n = 0; n < 16; n++) if (n !== 4) cpu.setGpr(n, random());
  // Any flags but those that single-step or need another mode.
  cpu.rflags = (Number(random() & 0x3f_ffffn) & ~(Flag.TF | Flag.RF | Flag.VM | Flag.NT)) | 2;
  if (c.cpl === 3) {
    cpu.segments[L.CS]!.load(S.code3, 0n, 0xffff_ffff, 0xa0fb);
    cpu.segments[L.SS]!.load(S.data3, 0n, 0xffff_ffff, 0xc0f3);
    cpu.setU32(L.CPL, 3);
  }
  c.prepare?.(cpu, random, machine);
  syncContext(cpu);
  selectTlb(cpu);
}

/** Runs a program of one instruction and a jump to itself. */
function execute({ machine, fresh }: NonNullable<typeof machines>[number], c: QuickCase, seed: number): { machine: Machine; helper: number } {
  machine.restore(fresh);
  setUp(machine, c, seed);
  const before = executed.get(c.row) ?? 0;
  expect(machine.run(500).kind).toBe('quantum');
  return { machine, helper: (executed.get(c.row) ?? 0) - before };
}

const ram = ({ linear }: Machine): Buffer => Buffer.from(linear.u8.buffer, linear.u8.length - linear.ramSize, linear.ramSize);
const devices = ({ devices: { all } }: Machine): unknown => all.map((d) => [d.name, d.snapshot()]);

/** One test for each case. */
export function quickCases(cases: readonly QuickCase[]): void {
  it.each(cases)('$name', (c) => {
    const [unobserved, observed] = (machines ??= makeMachines());
    for (let seed = 0; seed < ROUNDS; seed++) {
      const quick = execute(unobserved!, c, seed);
      const general = execute(observed!, c, seed);
      expect(general.helper, 'observed: TypeScript executes it').toBe(1);
      expect(quick.helper, c.general ? 'left to TypeScript' : 'nobody watches: TypeScript is not asked').toBe(c.general ? 1 : 0);
      expect(cpuState(quick.machine)).toEqual(cpuState(general.machine));
      expect(devices(quick.machine)).toEqual(devices(general.machine));
      expect(Buffer.compare(ram(quick.machine), ram(general.machine))).toBe(0);
    }
  });
}
