import type { Cpu } from '../cpu.ts';
import { Flag } from '../cpu.ts';
import { convertForStore, fromInteger, toInteger } from '../float/convert.ts';
import { Exception, Rounding } from '../float/environment.ts';
import type { Format } from '../float/format.ts';
import { f32, f64, f80 } from '../float/format.ts';
import { isNan, noteDenormal, propagate1 } from '../float/nan.ts';
import type { Real } from '../float/real.ts';
import { indefinite, pack, unpack } from '../float/real.ts';
import type { Helper, HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { fromBcd, toBcd } from './bcd.ts';
import { fpr, physical } from './state.ts';
import {
  clearC1,
  computing,
  decrementTop,
  env,
  isStEmpty,
  pop,
  probeOperand,
  push,
  readOperand,
  readTenBytes,
  setSt,
  setStBits,
  settle,
  st,
  stackFault,
  writeOperand,
  writeTenBytes,
} from './unit.ts';

/** Data transfer: SDM Vol. 1, 8.3.3. */

/** A datum from memory as a register holds it: exact, whatever the precision control says. Signaling NaNs are quieted, denormals noted. */
function widened(f: Format, bits: bigint): Real {
  const a = unpack(f, bits);
  if (isNan(a)) return propagate1(env, a);
  noteDenormal(env, a);
  return a;
}

const load = (f: Format, bits: 32 | 64): Helper =>
  computing((cpu, insn) => {
    const memory = readOperand(cpu, insn, bits);
    push(cpu, isStEmpty(cpu, 7) ? widened(f, memory) : indefinite);
  });

const loadInteger = (bits: 16 | 32 | 64): Helper =>
  computing((cpu, insn) => {
    const v = BigInt.asIntN(bits, readOperand(cpu, insn, bits));
    env.precision = 64;
    push(cpu, fromInteger(f80, env, v));
  });

/** Pushes ten bytes as they are: no encoding is looked at. */
function pushBits(cpu: Cpu, low: bigint, high: number): void {
  if (!isStEmpty(cpu, 7)) {
    push(cpu, indefinite);
    return;
  }
  clearC1(cpu);
  decrementTop(cpu);
  setStBits(cpu, 0, low, high);
}

/** FST and FSTP to memory. The write comes first: it may fault. */
const store = (f: Format, bits: 32 | 64, pops: boolean): Helper =>
  computing((cpu, insn) => {
    const empty = isStEmpty(cpu, 0);
    const value = empty ? ((env.masks & Exception.IE) !== 0 ? indefinite : undefined) : convertForStore(f, env, st(cpu, 0));
    finishStore(cpu, insn, bits, value && pack(f, value), empty, pops);
  });

/** FIST, FISTP and FISTTP. */
const storeInteger = (bits: 16 | 32 | 64, pops: boolean, truncate = false): Helper =>
  computing((cpu, insn) => {
    const empty = isStEmpty(cpu, 0);
    const source = empty ? indefinite : st(cpu, 0);
    const v = toInteger(env, source, bits, true, truncate ? Rounding.zero : env.rounding);
    finishStore(cpu, insn, bits, env.stopped ? undefined : v, empty, pops);
  });

function finishStore(cpu: Cpu, insn: Insn, bits: 16 | 32 | 64, value: bigint | undefined, empty: boolean, pops: boolean): void {
  if (value === undefined) probeOperand(cpu, insn, bits);
  else writeOperand(cpu, insn, bits, value);
  if (empty) stackFault(cpu, 'underflow');
  else settle(cpu);
  if (pops && value !== undefined) pop(cpu);
}

/** FSTP m80: the register as it is. */
const fstp80 = computing((cpu, insn) => {
  const empty = isStEmpty(cpu, 0);
  if (empty && (env.masks & Exception.IE) === 0) {
    probeOperand(cpu, insn, 80);
    stackFault(cpu, 'underflow');
    return;
  }
  const { low, high } = empty ? { low: 0xc000_0000_0000_0000n, high: 0xffff } : fpr(cpu, physical(cpu, 0));
  writeTenBytes(cpu, insn, low, high);
  if (empty) stackFault(cpu, 'underflow');
  else clearC1(cpu);
  pop(cpu);
});

const fbld = computing((cpu, insn) => {
  const { low, high } = readTenBytes(cpu, insn);
  env.precision = 64;
  push(cpu, fromBcd(low, high));
});

const fbstp = computing((cpu, insn) => {
  const empty = isStEmpty(cpu, 0);
  const { low, high } = toBcd(env, empty ? indefinite : st(cpu, 0));
  if (env.stopped) probeOperand(cpu, insn, 80);
  else writeTenBytes(cpu, insn, low, high);
  if (empty) stackFault(cpu, 'underflow');
  else settle(cpu);
  if (!env.stopped) pop(cpu);
});

/** FLD ST(i), with any contents. */
const fldRegister = computing((cpu, insn) => {
  const i = insn.rm & 7;
  if (isStEmpty(cpu, i)) {
    if (stackFault(cpu, 'underflow')) {
      decrementTop(cpu);
      setSt(cpu, 0, indefinite);
    }
    return;
  }
  const { low, high } = fpr(cpu, physical(cpu, i));
  pushBits(cpu, low, high);
});

const storeRegister = (pops: boolean): Helper =>
  computing((cpu, insn) => {
    const i = insn.rm & 7;
    if (isStEmpty(cpu, 0)) {
      if (!stackFault(cpu, 'underflow')) return;
      setSt(cpu, i, indefinite);
    } else {
      const { low, high } = fpr(cpu, physical(cpu, 0));
      clearC1(cpu);
      setStBits(cpu, i, low, high);
    }
    if (pops) pop(cpu);
  });

/** FSTP that leaves an empty ST(0) out without a stack fault: SDM Vol. 2, table A-9 does not have it, processors execute it. */
const fstpnce = computing((cpu, insn) => {
  clearC1(cpu);
  if (!isStEmpty(cpu, 0)) {
    const { low, high } = fpr(cpu, physical(cpu, 0));
    setStBits(cpu, insn.rm & 7, low, high);
  }
  pop(cpu);
});

const fxch = computing((cpu, insn) => {
  const i = insn.rm & 7;
  if (isStEmpty(cpu, 0) || isStEmpty(cpu, i)) {
    if (!stackFault(cpu, 'underflow')) return;
    for (const n of [0, i]) if (isStEmpty(cpu, n)) setSt(cpu, n, indefinite);
  } else clearC1(cpu);
  const a = fpr(cpu, physical(cpu, 0));
  const b = fpr(cpu, physical(cpu, i));
  setStBits(cpu, 0, b.low, b.high);
  setStBits(cpu, i, a.low, a.high);
});

/** FCMOVcc: SDM Vol. 2. */
const { CF, PF, ZF } = Flag;
const fcmov = (flags: number, when: boolean): Helper =>
  computing((cpu, insn) => {
    const i = insn.rm & 7;
    if (isStEmpty(cpu, 0) || isStEmpty(cpu, i)) {
      if (stackFault(cpu, 'underflow')) setSt(cpu, 0, indefinite);
      return;
    }
    if (((cpu.rflags & flags) !== 0) !== when) return;
    const { low, high } = fpr(cpu, physical(cpu, i));
    setStBits(cpu, 0, low, high);
  });

export const loadStore: HelperTable = {
  fld_m32: load(f32, 32),
  fld_m64: load(f64, 64),
  fld_m80: computing((cpu, insn) => {
    const { low, high } = readTenBytes(cpu, insn);
    pushBits(cpu, low, high);
  }),
  fld: fldRegister,
  fild_m16: loadInteger(16),
  fild_m32: loadInteger(32),
  fild_m64: loadInteger(64),
  fbld,
  fst_m32: store(f32, 32, false),
  fst_m64: store(f64, 64, false),
  fstp_m32: store(f32, 32, true),
  fstp_m64: store(f64, 64, true),
  fstp_m80: fstp80,
  fst: storeRegister(false),
  fstp: storeRegister(true),
  fstpnce,
  fist_m16: storeInteger(16, false),
  fist_m32: storeInteger(32, false),
  fistp_m16: storeInteger(16, true),
  fistp_m32: storeInteger(32, true),
  fistp_m64: storeInteger(64, true),
  fisttp_m16: storeInteger(16, true, true),
  fisttp_m32: storeInteger(32, true, true),
  fisttp_m64: storeInteger(64, true, true),
  fbstp,
  fxch,
  fcmovb: fcmov(CF, true),
  fcmove: fcmov(ZF, true),
  fcmovbe: fcmov(CF | ZF, true),
  fcmovu: fcmov(PF, true),
  fcmovnb: fcmov(CF, false),
  fcmovne: fcmov(ZF, false),
  fcmovnbe: fcmov(CF | ZF, false),
  fcmovnu: fcmov(PF, false),
};
