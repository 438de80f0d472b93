import type { Cpu } from '../cpu.ts';
import { Flag } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { readLinear, writeLinear } from '../mmu/access.ts';
import { linearOf } from '../system/operands.ts';
import { setSubtractFlags } from './subtract-flags.ts';

/**
 * The string instructions in the forms that emitted code leaves out: 16 and 32-bit code, 32-bit addresses, segment
 * overrides. One iteration each; the runner repeats by looking at rCX (SDM Vol. 2, REP).
 */
const RSI = 6;
const RDI = 7;
const ES = 0;

type Size = 1 | 2 | 4 | 8;

interface Step {
  readonly size: Size;
  readonly source: () => bigint;
  readonly destination: (write: boolean) => bigint;
  moveSource(): void;
  moveDestination(): void;
}

function stepOf(cpu: Cpu, insn: Insn): Step {
  const size = (insn.opsize / 8) as Size;
  const by = BigInt((cpu.sysflags & Flag.DF) !== 0 ? -size : size);
  const at = (register: number, segment: number, write: boolean): bigint => linearOf(cpu, segment, cpu.readGpr(register, insn.addrsize), size, write);
  const move = (register: number): void => cpu.writeGpr(register, insn.addrsize, cpu.readGpr(register, insn.addrsize) + by);
  return {
    size,
    source: () => at(RSI, insn.segment, false),
    destination: (write) => at(RDI, ES, write),
    moveSource: () => move(RSI),
    moveDestination: () => move(RDI),
  };
}

/** With a repeat prefix and rCX = 0 nothing happens; else one iteration and rCX counts down. */
function iteration(body: (cpu: Cpu, insn: Insn, step: Step) => void) {
  return (cpu: Cpu, insn: Insn): void => {
    if (insn.rep !== 0 && cpu.readGpr(1, insn.addrsize) === 0n) return;
    body(cpu, insn, stepOf(cpu, insn));
    if (insn.rep !== 0) cpu.writeGpr(1, insn.addrsize, cpu.readGpr(1, insn.addrsize) - 1n);
  };
}

export const stringInstructions: HelperTable = {
  movs: iteration((cpu, _insn, s) => {
    const value = readLinear(cpu, s.source(), s.size);
    writeLinear(cpu, s.destination(true), s.size, value);
    s.moveSource();
    s.moveDestination();
  }),
  stos: iteration((cpu, insn, s) => {
    writeLinear(cpu, s.destination(true), s.size, cpu.readGpr(0, insn.opsize));
    s.moveDestination();
  }),
  lods: iteration((cpu, insn, s) => {
    cpu.writeGpr(0, insn.opsize, readLinear(cpu, s.source(), s.size));
    s.moveSource();
  }),
  scas: iteration((cpu, insn, s) => {
    const value = readLinear(cpu, s.destination(false), s.size);
    setSubtractFlags(cpu, cpu.readGpr(0, insn.opsize), value, insn.opsize);
    s.moveDestination();
  }),
  cmps: iteration((cpu, insn, s) => {
    const a = readLinear(cpu, s.source(), s.size);
    const b = readLinear(cpu, s.destination(false), s.size);
    setSubtractFlags(cpu, a, b, insn.opsize);
    s.moveSource();
    s.moveDestination();
  }),
};
