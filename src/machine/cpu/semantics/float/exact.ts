import type { Cpu } from '../../cpu.ts';
import { CR4 } from '../../cpu.ts';
import { Vector } from '../../fault.ts';
import { FloatEnvironment } from '../../float/environment.ts';
import { directed32, directed64, inexact } from '../../float/fast.ts';
import type { Format } from '../../float/format.ts';
import { f16, f32, f64 } from '../../float/format.ts';
import type { Real } from '../../float/real.ts';
import { pack, unpack } from '../../float/real.ts';
import * as L from '../../layout.ts';

/**
 * The slow path of floating-point instructions: whatever the emitted code's fast path does not vouch for is computed here with the exact core,
 * for all elements of the operands at once, since an unmasked exception in any of them concerns all (SDM Vol. 1, 11.5.2).
 */
export class ExactCall {
  readonly env = new FloatEnvironment('sse');
  cpu!: Cpu;
  /** Addresses of the operands in linear memory; `x` is that of a third one, or the immediate. */
  a = 0;
  b = 0;
  x = 0;
  /** Exceptions of steps that are done. */
  earlier = 0;

  /** Ends one step of an operation that has several. @returns whether an unmasked exception ends it all */
  endStep(): boolean {
    const { env } = this;
    if ((env.settled & ~env.masks) !== 0) return true;
    this.earlier |= env.flags;
    env.flags = 0;
    return false;
  }

  /** Element n of the operand at an address. */
  real(f: Format, address: number, n: number): Real {
    return unpack(f, this.bits(f, address, n), this.env.daz && f !== f16);
  }

  number(f: Format, address: number, n: number): number {
    const { view } = this.cpu.m;
    return f === f64 ? view.getFloat64(address + n * 8, true) : view.getFloat32(address + n * 4, true);
  }

  /** Element n of the result, just computed by float/fast.ts, in the rounding mode that is set. @returns false if it must be done exactly */
  setDirected(f: Format, n: number, nearest: number): boolean {
    if (Number.isNaN(nearest)) return false;
    const { env } = this;
    const result = env.rounding === 0 ? nearest : (f === f64 ? directed64 : directed32)(nearest, env.rounding);
    if (Number.isNaN(result)) return false;
    const { view } = this.cpu.m;
    const at = this.cpu.block + L.FLOAT_RESULT;
    if (f === f64) view.setFloat64(at + n * 8, result, true);
    else view.setFloat32(at + n * 4, result, true);
    env.flags |= inexact;
    return true;
  }

  bits(f: Format, address: number, n: number): bigint {
    const { view } = this.cpu.m;
    if (f === f64) return view.getBigUint64(address + n * 8, true);
    return BigInt(f === f32 ? view.getUint32(address + n * 4, true) : view.getUint16(address + n * 2, true));
  }

  integer(bits: 32 | 64, address: number, n: number): bigint {
    const { view } = this.cpu.m;
    return bits === 64 ? view.getBigInt64(address + n * 8, true) : BigInt(view.getInt32(address + n * 4, true));
  }

  /** Clears the result, for instructions whose elements do not fill it. */
  clear(): void {
    this.cpu.m.u8.fill(0, this.cpu.block + L.FLOAT_RESULT, this.cpu.block + L.FLOAT_RESULT + 32);
  }

  /** Element n of the result. */
  set(f: Format, n: number, v: Real): void {
    this.setBits(f, n, pack(f, v));
  }

  setBits(f: Format, n: number, v: bigint): void {
    const { view } = this.cpu.m;
    const at = this.cpu.block + L.FLOAT_RESULT;
    if (f === f64) view.setBigUint64(at + n * 8, v, true);
    else if (f === f32) view.setUint32(at + n * 4, Number(v), true);
    else view.setUint16(at + n * 2, Number(v), true);
  }

  setInteger(bits: 32 | 64, n: number, v: bigint): void {
    if (bits === 64) this.cpu.m.view.setBigInt64(this.cpu.block + L.FLOAT_RESULT + n * 8, v, true);
    else this.cpu.m.view.setInt32(this.cpu.block + L.FLOAT_RESULT + n * 4, Number(v), true);
  }
}

/** Computes the result from `a`, `b`, `x` into FLOAT_RESULT and raises its exceptions in `env`. */
export type Exact = (call: ExactCall) => void;

const operations: Exact[] = [];
const call = new ExactCall();

/** Gives an operation the number by which emitted code calls it. */
export const exactOperation = (exact: Exact): number => operations.push(exact) - 1;

/**
 * Runs operation `n`. MXCSR takes the exceptions; if one is unmasked, nothing else happens.
 * @returns the vector to be raised, or 0
 */
export function runExact(cpu: Cpu, n: number, a: number, b: number, x: number): number {
  const mxcsr = cpu.u32(L.MXCSR);
  const env = call.env.useMxcsr(mxcsr);
  call.cpu = cpu;
  call.a = a;
  call.b = b;
  call.x = x;
  call.earlier = 0;
  operations[n]!(call);
  const flags = call.earlier | env.settled;
  cpu.setU32(L.MXCSR, mxcsr | flags);
  if ((env.settled & ~env.masks) === 0) return 0;
  // SDM Vol. 3, 6.15, #XM: without OSXMMEXCPT the operating system does not know of it.
  return (cpu.cr4bits & CR4.OSXMMEXCPT) !== 0 ? Vector.XM : Vector.UD;
}
