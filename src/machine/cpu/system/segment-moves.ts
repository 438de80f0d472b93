import { Interruptibility, type Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { readFarPointer } from './far-transfer.ts';
import { bytesOf, readRm, writeRm } from './operands.ts';
import { loadSegment } from './segments.ts';
import { currentStack } from './stack.ts';

/** The segment register that ModRM.reg names; REX.R plays no part. */
function segmentRegister(insn: Insn): number {
  const segment = insn.reg & 7;
  if (segment > L.GS) throw ud();
  return segment;
}

/** Loading SS inhibits interrupts and debug traps until the next instruction is done: SDM Vol. 3, 6.8.3. */
function shadowAfter(cpu: Cpu, segment: number): void {
  if (segment === L.SS) cpu.interruptibility |= Interruptibility.movSs;
}

function movToSegment(cpu: Cpu, insn: Insn): void {
  const segment = segmentRegister(insn);
  if (segment === L.CS) throw ud();
  loadSegment(cpu, segment, Number(readRm(cpu, insn, 16)));
  shadowAfter(cpu, segment);
}

/** A selector in memory is always 16 bits; in a register it is zero-extended: SDM Vol. 2, MOV. */
export function storeSelector(cpu: Cpu, insn: Insn, selector: number): void {
  writeRm(cpu, insn, insn.isMemory ? 16 : insn.opsize, BigInt(selector));
}

function pushSegment(cpu: Cpu, insn: Insn): void {
  const stack = currentStack(cpu);
  const selector = BigInt(cpu.segments[segmentRegister(insn)]!.selector);
  if (insn.opsize === 32) {
    // A 32-bit slot of which 16 bits are written, as recent processors do: SDM Vol. 2, PUSH.
    stack.release(-2);
    stack.push(selector, 2);
  } else {
    stack.push(selector, bytesOf(insn.opsize) as 2 | 8);
  }
  stack.commit();
}

function popSegment(cpu: Cpu, insn: Insn): void {
  const segment = segmentRegister(insn);
  const stack = currentStack(cpu);
  const selector = Number(stack.pop(bytesOf(insn.opsize) as 2 | 4 | 8) & 0xffffn);
  loadSegment(cpu, segment, selector);
  stack.commit();
  shadowAfter(cpu, segment);
}

/** LDS, LES, LSS, LFS, LGS: the segment is loaded first, for it may fault. */
const loadPointer =
  (segment: number): Helper =>
  (cpu, insn) => {
    if ((segment === L.DS || segment === L.ES) && cpu.code64) throw ud();
    const { selector, offset } = readFarPointer(cpu, insn);
    loadSegment(cpu, segment, selector);
    cpu.writeGpr(insn.reg, insn.opsize, offset);
  };

export const segmentMoveInstructions: HelperTable = {
  mov_sreg_rm: movToSegment,
  mov_rm_sreg: (cpu, insn) => storeSelector(cpu, insn, cpu.segments[segmentRegister(insn)]!.selector),
  push_sreg: pushSegment,
  pop_sreg: popSegment,
  lds: loadPointer(L.DS),
  les: loadPointer(L.ES),
  lss: loadPointer(L.SS),
  lfs: loadPointer(L.FS),
  lgs: loadPointer(L.GS),
};
