import type { Cpu } from '../cpu.ts';
import { add, div, mul, sqrt, sub } from '../float/arithmetic.ts';
import { fromInteger, roundToIntegral } from '../float/convert.ts';
import type { FloatEnvironment } from '../float/environment.ts';
import type { Format } from '../float/format.ts';
import { f32, f64, f80 } from '../float/format.ts';
import type { Real } from '../float/real.ts';
import { indefinite, unpack } from '../float/real.ts';
import type { Helper, HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { fpr, physical } from './state.ts';
import { clearC1, computing, env, isStEmpty, pop, readOperand, setSt, setStBits, settle, st, stackFault } from './unit.ts';

/** Basic arithmetic: SDM Vol. 1, 8.3.5. */

type Operation = (f: Format, env: FloatEnvironment, a: Real, b: Real) => Real;

/** The six operations; those with an R take their operands the other way round. */
const operations: Readonly<Record<string, Operation>> = {
  add,
  mul,
  sub,
  subr: (f, e, a, b) => sub(f, e, b, a),
  div,
  divr: (f, e, a, b) => div(f, e, b, a),
};

/** ST(to) = op(ST(to), ST(from)). */
const registers = (op: Operation, toSti: boolean, pops: boolean): Helper =>
  computing((cpu, insn) => {
    const i = insn.rm & 7;
    const to = toSti ? i : 0;
    const from = toSti ? 0 : i;
    if (isStEmpty(cpu, 0) || isStEmpty(cpu, i)) {
      if (!stackFault(cpu, 'underflow')) return;
      setSt(cpu, to, indefinite);
    } else {
      const result = op(f80, env, st(cpu, to), st(cpu, from));
      if (!settle(cpu)) return;
      setSt(cpu, to, result);
    }
    if (pops) pop(cpu);
  });

/** ST(0) = op(ST(0), memory). */
const memory = (op: Operation, read: (cpu: Cpu, insn: Insn) => Real): Helper =>
  computing((cpu, insn) => {
    const b = read(cpu, insn);
    if (isStEmpty(cpu, 0)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const result = op(f80, env, st(cpu, 0), b);
    if (settle(cpu)) setSt(cpu, 0, result);
  });

/** A whole number is exact in a register. */
function readInteger(cpu: Cpu, insn: Insn, bits: 16 | 32): Real {
  const v = BigInt.asIntN(bits, readOperand(cpu, insn, bits));
  const { precision } = env;
  env.precision = 64;
  const a = fromInteger(f80, env, v);
  env.precision = precision;
  return a;
}

export const readM32 = (cpu: Cpu, insn: Insn): Real => unpack(f32, readOperand(cpu, insn, 32));
export const readM64 = (cpu: Cpu, insn: Insn): Real => unpack(f64, readOperand(cpu, insn, 64));
export const readM16int = (cpu: Cpu, insn: Insn): Real => readInteger(cpu, insn, 16);
export const readM32int = (cpu: Cpu, insn: Insn): Real => readInteger(cpu, insn, 32);

/** ST(0) = f(ST(0)). */
export const unary = (f: (e: FloatEnvironment, a: Real) => Real): Helper =>
  computing((cpu) => {
    if (isStEmpty(cpu, 0)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const result = f(env, st(cpu, 0));
    if (settle(cpu)) setSt(cpu, 0, result);
  });

/** FCHS and FABS change the sign bit of anything. */
const signed = (change: (high: number) => number): Helper =>
  computing((cpu) => {
    if (isStEmpty(cpu, 0)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    const { low, high } = fpr(cpu, physical(cpu, 0));
    clearC1(cpu);
    setStBits(cpu, 0, low, change(high));
  });

export const arithmetic: HelperTable = {
  ...Object.fromEntries(
    Object.entries(operations).flatMap(([name, op]) => [
      [`f${name}`, registers(op, false, false)],
      [`f${name}_sti`, registers(op, true, false)],
      [`f${name}p`, registers(op, true, true)],
      [`f${name}_m32`, memory(op, readM32)],
      [`f${name}_m64`, memory(op, readM64)],
      [`fi${name}_m16`, memory(op, readM16int)],
      [`fi${name}_m32`, memory(op, readM32int)],
    ]),
  ),
  fsqrt: unary((e, a) => sqrt(f80, e, a)),
  frndint: unary((e, a) => roundToIntegral(e, a, e.rounding, true, true)),
  fchs: signed((high) => high ^ 0x8000),
  fabs: signed((high) => high & 0x7fff),
};
