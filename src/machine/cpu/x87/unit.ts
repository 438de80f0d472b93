import { CR0, type Cpu } from '../cpu.ts';
import { GuestFault, nm, Vector } from '../fault.ts';
import { Exception, FloatEnvironment } from '../float/environment.ts';
import type { Real } from '../float/real.ts';
import { indefinite, significand80, signExponent80, unpack80 } from '../float/real.ts';
import type { Helper } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import type { LinearAddr } from '../../memory/address.ts';
import { advance, effectiveAddress, linearOf } from '../system/operands.ts';
import { notePointers } from './pointers.ts';
import { exceptionPending, physical, setStatus, Status } from './state.ts';

/** What x87 instructions are written with: checks before, the register stack, exceptions after. */

/** Precision, rounding and exceptions of the instruction that is executing. */
export const env = new FloatEnvironment('x87');

/** x87 instructions cannot be used while CR0 says that they are emulated or that another task owns the state: SDM Vol. 3, table 2-2. */
export function checkX87(cpu: Cpu): void {
  if ((cpu.cr0bits & (CR0.EM | CR0.TS)) !== 0) throw nm();
}

/**
 * Waiting instructions report a pending exception first: as #MF; or, when CR0.NE is clear, it was reported by FERR# as it arose (SDM Vol. 1,
 * 8.7). Then a processor waits here for the interrupt; this one goes on, as under IGNNE#.
 */
export function checkPendingX87(cpu: Cpu): void {
  if (!exceptionPending(cpu)) return;
  if ((cpu.cr0bits & CR0.NE) !== 0) throw new GuestFault(Vector.MF);
}

/** A control instruction that does not wait for pending exceptions: FN... */
export const noWait =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    checkX87(cpu);
    helper(cpu, insn);
  };

/** A control instruction that does. */
export const waiting =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    checkX87(cpu);
    checkPendingX87(cpu);
    helper(cpu, insn);
  };

/** Offset of the memory operand of the instruction that is executing. */
let operandOffset = 0n;
/** Where emitted code found it in linear memory, checked and translated; 0: it is to be found here. And whether it was written. */
let found = 0;
let wrote = false;

/**
 * Runs a helper whose memory operand emitted code has found already (0: it has none): its offset is in SLOW_ADDRESS.
 * @returns whether the operand was written
 */
export function withOperandFound(cpu: Cpu, insn: Insn, helper: Helper, operand: number): boolean {
  found = operand;
  wrote = false;
  if (operand !== 0) operandOffset = cpu.u64(L.SLOW_ADDRESS);
  helper(cpu, insn);
  found = 0;
  return wrote;
}

/** A non-control instruction: it leaves its address behind. The helper throws, if it does, before it changed anything. */
export const computing =
  (helper: Helper): Helper =>
  (cpu, insn) => {
    checkX87(cpu);
    checkPendingX87(cpu);
    env.useControlWord(cpu.u32(L.FCW));
    helper(cpu, insn);
    notePointers(cpu, insn, operandOffset);
  };

function operandAt(cpu: Cpu, insn: Insn, bytes: number, write: boolean): LinearAddr {
  operandOffset = effectiveAddress(cpu, insn);
  return linearOf(cpu, insn.segment, operandOffset, bytes, write);
}

export function readOperand(cpu: Cpu, insn: Insn, bits: 16 | 32 | 64): bigint {
  const bytes = (bits / 8) as 2 | 4 | 8;
  if (found !== 0) return BigInt.asUintN(bits, cpu.m.view.getBigUint64(found, true));
  return readLinear(cpu, operandAt(cpu, insn, bytes, false), bytes);
}

export function writeOperand(cpu: Cpu, insn: Insn, bits: 16 | 32 | 64, value: bigint): void {
  const bytes = (bits / 8) as 2 | 4 | 8;
  if (found !== 0) {
    for (let n = 0; n < bytes; n++) cpu.m.u8[found + n] = Number((value >> BigInt(n * 8)) & 0xffn);
    wrote = true;
    return;
  }
  writeLinear(cpu, operandAt(cpu, insn, bytes, true), bytes, BigInt.asUintN(bits, value));
}

/** Checks the operand of a store, as is done even where an exception keeps it from being written. */
export function probeOperand(cpu: Cpu, insn: Insn, bits: number): void {
  if (found === 0) probeWrite(cpu, operandAt(cpu, insn, bits / 8, true), bits / 8);
}

const TEN_BYTES = 10;

/** Ten bytes: significand and sign+exponent, or a BCD number. */
export function readTenBytes(cpu: Cpu, insn: Insn): { low: bigint; high: number } {
  const at = operandAt(cpu, insn, TEN_BYTES, false);
  return { low: readLinear(cpu, at, 8), high: Number(readLinear(cpu, advance(cpu, at, 8), 2)) };
}

export function writeTenBytes(cpu: Cpu, insn: Insn, low: bigint, high: number): void {
  const at = operandAt(cpu, insn, TEN_BYTES, true);
  probeWrite(cpu, at, TEN_BYTES);
  writeLinear(cpu, at, 8, low);
  writeLinear(cpu, advance(cpu, at, 8), 2, BigInt(high));
}

// ---- the stack

const slotOf = (cpu: Cpu, i: number): number => L.FPR + physical(cpu, i) * 16;

/** ST(i). */
export function st(cpu: Cpu, i: number): Real {
  const at = slotOf(cpu, i);
  return unpack80(cpu.u64(at), cpu.u32(at + 8) & 0xffff);
}

export const isStEmpty = (cpu: Cpu, i: number): boolean => ((cpu.u32(L.FTW) >> (physical(cpu, i) * 2)) & 3) === 3;

export function setStBits(cpu: Cpu, i: number, low: bigint, high: number): void {
  const n = physical(cpu, i);
  cpu.setU64(L.FPR + n * 16, low);
  cpu.setU32(L.FPR + n * 16 + 8, high);
  cpu.setU32(L.FTW, cpu.u32(L.FTW) & ~(3 << (n * 2)));
}

/** Puts a value into ST(i), which is then not empty. */
export function setSt(cpu: Cpu, i: number, v: Real): void {
  setStBits(cpu, i, significand80(v), signExponent80(v));
}

const moveTop = (cpu: Cpu, by: number): void => {
  const fsw = cpu.u32(L.FSW);
  cpu.setU32(L.FSW, (fsw & ~Status.TOP) | ((((fsw >> 11) + by) & 7) << 11));
};

export function setEmpty(cpu: Cpu, i: number): void {
  cpu.setU32(L.FTW, cpu.u32(L.FTW) | (3 << (physical(cpu, i) * 2)));
}

export function pop(cpu: Cpu, times = 1): void {
  for (let n = 0; n < times; n++) {
    setEmpty(cpu, 0);
    moveTop(cpu, 1);
  }
}

/** Makes room for a new ST(0), which the caller fills. */
export const decrementTop = (cpu: Cpu): void => moveTop(cpu, -1);
export const incrementTop = (cpu: Cpu): void => moveTop(cpu, 1);

/** Pushes a value, or answers the overflow of the stack. */
export function push(cpu: Cpu, v: Real): void {
  if (!isStEmpty(cpu, 7)) {
    if (stackFault(cpu, 'overflow')) {
      decrementTop(cpu);
      setSt(cpu, 0, indefinite);
    }
    return;
  }
  // A denormal operand is loaded even where DE is not masked: the exception is for what uses it next.
  if (!settle(cpu) && (env.flags & Exception.IE) !== 0) return;
  decrementTop(cpu);
  setSt(cpu, 0, v);
}

// ---- exceptions

/**
 * Ends a computation: its exceptions go into the status word, C1 says whether the result was rounded up (SDM Vol. 1, 8.1.3.3).
 * @returns whether its result is to be written: not if an exception before the computation is unmasked
 */
export function settle(cpu: Cpu): boolean {
  const flags = env.settled;
  const stopped = env.stopped;
  const c1 = env.roundedUp && !stopped ? Status.C1 : 0;
  setStatus(cpu, (cpu.u32(L.FSW) & ~Status.C1) | flags | c1);
  return !stopped;
}

/**
 * Stack overflow or underflow: an invalid operation with SF, C1 says which (SDM Vol. 1, 8.5.1.1).
 * @returns whether it is masked, and so the result the indefinite
 */
export function stackFault(cpu: Cpu, kind: 'overflow' | 'underflow'): boolean {
  const c1 = kind === 'overflow' ? Status.C1 : 0;
  setStatus(cpu, (cpu.u32(L.FSW) & ~Status.C1) | Exception.IE | Status.SF | c1);
  return (env.masks & Exception.IE) !== 0;
}

/**
 * For an instruction with a result in place of ST(0) and another one pushed: is ST(0) empty, or no register free? Then the masked
 * response is two indefinites.
 */
export function cannotReplaceAndPush(cpu: Cpu): boolean {
  const empty = isStEmpty(cpu, 0);
  if (!empty && isStEmpty(cpu, 7)) return false;
  if (!stackFault(cpu, empty ? 'underflow' : 'overflow')) return true;
  setSt(cpu, 0, indefinite);
  decrementTop(cpu);
  setSt(cpu, 0, indefinite);
  return true;
}

/** Sets condition codes C0, C2, C3, and clears the others of them. */
export function setConditions(cpu: Cpu, codes: number): void {
  cpu.setU32(L.FSW, (cpu.u32(L.FSW) & ~(Status.C0 | Status.C2 | Status.C3)) | codes);
}

/** C1 is cleared by instructions that have nothing to say there. */
export function clearC1(cpu: Cpu): void {
  cpu.setU32(L.FSW, cpu.u32(L.FSW) & ~Status.C1);
}

/** C2 is cleared by those that say there whether they are through. */
export function clearC2(cpu: Cpu): void {
  cpu.setU32(L.FSW, cpu.u32(L.FSW) & ~Status.C2);
}
