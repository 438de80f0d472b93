import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import { advance, mask, operandAddress } from '../system/operands.ts';
import { setX87Selectors, x87Selectors } from './pointers.ts';
import { fpr, fullTags, initX87, physical, setControl, setFpr, setStatus, setTags } from './state.ts';
import { noWait, waiting } from './unit.ts';

/** The environment in memory, and with it the registers: SDM Vol. 1, 8.1.10 and 8.1.11. */

/** Sizes of the environment by operand size: SDM Vol. 1, figures 8-9 to 8-12. */
const environmentSize = (insn: Insn): 14 | 28 => (insn.opsize === 16 ? 14 : 28);
const REGISTERS_SIZE = 80;

/** In real-address and virtual-8086 mode the pointers are linear addresses, in pieces. */
const inPieces = (cpu: Cpu): boolean => cpu.realMode || cpu.v8086;
const UPPER = 0xffff_0000;

/** The seven words of the environment; in the 32-bit forms unused upper halves are ones (the opcode's have been zeros always). */
function environmentWords(cpu: Cpu, insn: Insn): number[] {
  const low = (slot: number): number => Number(cpu.u64(slot) & 0xffff_ffffn);
  const head = [cpu.u32(L.FCW), cpu.u32(L.FSW), fullTags(cpu)].map((word) => word | UPPER);
  const fop = cpu.u32(L.FOP) & 0x7ff;
  const { fcs, fds } = x87Selectors(cpu);
  if (inPieces(cpu)) {
    const fip = low(L.FIP) + (fcs << 4);
    const fdp = low(L.FDP) + (fds << 4);
    return [...head, fip & 0xffff, ((fip >>> 16) << 12) | fop, fdp & 0xffff, (fdp >>> 16) << 12];
  }
  return insn.opsize === 16 ? [...head, low(L.FIP), fcs, low(L.FDP), fds] : [...head, low(L.FIP), fcs | (fop << 16), low(L.FDP), fds | UPPER];
}

function storeEnvironment(cpu: Cpu, insn: Insn, at: bigint): void {
  const size = insn.opsize === 16 ? 2 : 4;
  for (const [n, word] of environmentWords(cpu, insn).entries()) writeLinear(cpu, advance(cpu, at, n * size), size, mask(BigInt(word), size * 8));
}

/** The control word comes first: which exceptions are unmasked decides about ES. */
function loadEnvironment(cpu: Cpu, insn: Insn, words: readonly number[]): void {
  const [fcw = 0, fsw = 0, ftw = 0, w3 = 0, w4 = 0, w5 = 0, w6 = 0] = words;
  setControl(cpu, fcw & 0xffff);
  setStatus(cpu, fsw & 0xffff);
  setTags(cpu, ftw & 0xffff);
  if (inPieces(cpu)) {
    const pieces = (low: number, high: number): bigint => BigInt((low & 0xffff) + ((high >>> 12) & 0xffff) * 0x1_0000);
    cpu.setU64(L.FIP, pieces(w3, w4));
    cpu.setU64(L.FDP, pieces(w5, w6));
    cpu.setU32(L.FOP, w4 & 0x7ff);
    setX87Selectors(cpu, 0, 0);
    return;
  }
  cpu.setU64(L.FIP, BigInt(w3));
  cpu.setU64(L.FDP, BigInt(w5));
  setX87Selectors(cpu, w4, w6);
  cpu.setU32(L.FOP, (w4 >>> 16) & 0x7ff);
}

function readEnvironment(cpu: Cpu, insn: Insn, at: bigint): number[] {
  const size = insn.opsize === 16 ? 2 : 4;
  return Array.from({ length: 7 }, (_, n) => Number(readLinear(cpu, advance(cpu, at, n * size), size)));
}

function fnstenv(cpu: Cpu, insn: Insn): void {
  const at = operandAddress(cpu, insn, environmentSize(insn), true);
  probeWrite(cpu, at, environmentSize(insn));
  storeEnvironment(cpu, insn, at);
  // All exceptions are masked afterwards: SDM Vol. 2, FSTENV.
  setControl(cpu, cpu.u32(L.FCW) | 0x3f);
}

function fldenv(cpu: Cpu, insn: Insn): void {
  const words = readEnvironment(cpu, insn, operandAddress(cpu, insn, environmentSize(insn), false));
  loadEnvironment(cpu, insn, words);
}

function fnsave(cpu: Cpu, insn: Insn): void {
  const size = environmentSize(insn);
  const at = operandAddress(cpu, insn, size + REGISTERS_SIZE, true);
  probeWrite(cpu, at, size + REGISTERS_SIZE);
  storeEnvironment(cpu, insn, at);
  for (let i = 0; i < 8; i++) {
    const { low, high } = fpr(cpu, physical(cpu, i));
    writeLinear(cpu, advance(cpu, at, size + i * 10), 8, low);
    writeLinear(cpu, advance(cpu, at, size + i * 10 + 8), 2, BigInt(high));
  }
  initX87(cpu);
}

function frstor(cpu: Cpu, insn: Insn): void {
  const size = environmentSize(insn);
  const at = operandAddress(cpu, insn, size + REGISTERS_SIZE, false);
  const words = readEnvironment(cpu, insn, at);
  const registers = Array.from({ length: 8 }, (_, i) => ({
    low: readLinear(cpu, advance(cpu, at, size + i * 10), 8),
    high: Number(readLinear(cpu, advance(cpu, at, size + i * 10 + 8), 2)),
  }));
  loadEnvironment(cpu, insn, words);
  registers.forEach(({ low, high }, i) => setFpr(cpu, physical(cpu, i), low, high));
}

export const environment: HelperTable = {
  fnstenv: noWait(fnstenv),
  fldenv: waiting(fldenv),
  fnsave: noWait(fnsave),
  frstor: waiting(frstor),
};
