import { CR0, type Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { GuestFault, nm, ud, Vector } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import { advance, mask, operandAddress, readMemory, writeMemory } from './operands.ts';
import { exceptionPending, fpr, initX87, physical, setControl, setFpr, setStatus, setTags } from './x87-image.ts';

/** x87 instructions cannot be used while CR0 says that they are emulated or that another task owns the state: SDM Vol. 3, table 2-2. */
export function checkX87(cpu: Cpu): void {
  if ((cpu.cr0bits & (CR0.EM | CR0.TS)) !== 0) throw nm();
}

/** Waiting instructions report a pending exception first. With CR0.NE clear it would be IRQ 13 of an external chip, which no PC wires any more. */
export function checkPendingX87(cpu: Cpu): void {
  if (exceptionPending(cpu) && (cpu.cr0bits & CR0.NE) !== 0) throw new GuestFault(Vector.MF);
}

const x87 =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    checkX87(cpu);
    helper(cpu, insn);
  };

const waiting =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    checkX87(cpu);
    checkPendingX87(cpu);
    helper(cpu, insn);
  };

/** Sizes of the environment by operand size: SDM Vol. 1, figures 8-9 to 8-12. */
const environmentSize = (insn: Insn): 14 | 28 => (insn.opsize === 16 ? 14 : 28);
const REGISTERS_SIZE = 80;

/** The seven words of the environment. */
function environmentWords(cpu: Cpu, insn: Insn): number[] {
  const low = (slot: number): number => Number(cpu.u64(slot) & 0xffff_ffffn);
  const [fip, fdp, fop] = [low(L.FIP), low(L.FDP), cpu.u32(L.FOP) & 0x7ff];
  const head = [L.FCW, L.FSW, L.FTW].map((slot) => cpu.u32(slot) & 0xffff);
  if (cpu.realMode || cpu.v8086) {
    if (insn.opsize === 16) return [...head, fip & 0xffff, ((fip >>> 16) << 12) | fop, fdp & 0xffff, (fdp >>> 16) << 12];
    return [...head, fip & 0xffff, ((fip >>> 16) << 12) | fop, fdp & 0xffff, (fdp >>> 16) << 12];
  }
  if (insn.opsize === 16) return [...head, fip & 0xffff, cpu.u32(L.FCS), fdp & 0xffff, cpu.u32(L.FDS)];
  return [...head, fip, cpu.u32(L.FCS) | (fop << 16), fdp, cpu.u32(L.FDS)];
}

function storeEnvironment(cpu: Cpu, insn: Insn, at: bigint): void {
  const size = insn.opsize === 16 ? 2 : 4;
  environmentWords(cpu, insn).forEach((word, n) => {
    // The unused upper halves of the control, status, tag and data-selector words read as all ones.
    const filler = size === 4 && (n < 3 || (n === 6 && !cpu.realMode && !cpu.v8086)) ? 0xffff_0000 : 0;
    writeLinear(cpu, advance(cpu, at, n * size), size, mask(BigInt((word | filler) >>> 0), size * 8));
  });
}

/** Tags are set by the caller, once the registers they describe are in place. */
function loadEnvironment(cpu: Cpu, insn: Insn, words: readonly number[]): void {
  const [fcw = 0, fsw = 0, , w3 = 0, w4 = 0, w5 = 0, w6 = 0] = words;
  const real = cpu.realMode || cpu.v8086;
  const wide = insn.opsize !== 16;
  setControl(cpu, fcw & 0xffff);
  setStatus(cpu, fsw & 0xffff);
  if (real) {
    cpu.setU64(L.FIP, BigInt(((w3 & 0xffff) | ((w4 >>> 12) << 16)) >>> 0));
    cpu.setU64(L.FDP, BigInt(((w5 & 0xffff) | ((w6 >>> 12) << 16)) >>> 0));
    cpu.setU32(L.FOP, w4 & 0x7ff);
    cpu.setU32(L.FCS, 0);
    cpu.setU32(L.FDS, 0);
  } else {
    cpu.setU64(L.FIP, BigInt(w3));
    cpu.setU32(L.FCS, w4 & 0xffff);
    cpu.setU64(L.FDP, BigInt(w5));
    cpu.setU32(L.FDS, w6 & 0xffff);
    if (wide) cpu.setU32(L.FOP, (w4 >>> 16) & 0x7ff);
  }
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
  setTags(cpu, words[2]! & 0xffff);
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
  setTags(cpu, words[2]! & 0xffff);
}

/** WAIT heeds TS only when MP says that tasks are monitored. */
function fwait(cpu: Cpu): void {
  if ((cpu.cr0bits & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) throw nm();
  checkPendingX87(cpu);
}

function emms(cpu: Cpu): void {
  if ((cpu.cr0bits & CR0.EM) !== 0) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
  checkPendingX87(cpu);
  cpu.setU32(L.FTW, 0xffff);
}

function ffree(cpu: Cpu, insn: Insn): void {
  cpu.setU32(L.FTW, cpu.u32(L.FTW) | (3 << (physical(cpu, insn.rm & 7) * 2)));
}

export const fpuInstructions: HelperTable = {
  fninit: x87(initX87),
  fnclex: x87((cpu) => cpu.setU32(L.FSW, cpu.u32(L.FSW) & 0x7f00)),
  fnstcw: x87((cpu, insn) => writeMemory(cpu, insn, 16, BigInt(cpu.u32(L.FCW)))),
  fldcw: waiting((cpu, insn) => setControl(cpu, Number(readMemory(cpu, insn, 16)))),
  fnstsw_m: x87((cpu, insn) => writeMemory(cpu, insn, 16, BigInt(cpu.u32(L.FSW)))),
  fnstsw_ax: x87((cpu) => cpu.setGpr16(0, cpu.u32(L.FSW))),
  fnstenv: x87(fnstenv),
  fldenv: waiting(fldenv),
  fnsave: x87(fnsave),
  frstor: waiting(frstor),
  ffree: waiting(ffree),
  fwait,
  emms,
};
