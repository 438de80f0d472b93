import type { Place } from '../tiers/emitter.ts';
import { mask, signExtend } from '../tiers/emitter.ts';
import * as w from '../wasm/value.ts';
import { SYSFLAGS } from '../layout.ts';
import { Flag } from '../cpu.ts';
import { lahf, sahf, statusByte, storeStatusByte } from './status-byte.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

const extend =
  (signed: boolean, from: 8 | 16): Semantics =>
  (m) => {
    const v = m.let(m.place(1, 'read').get());
    const wide = signed ? signExtend(v, from) : w.unsigned64(v);
    m.place(0, 'write').set(m.width === 64 ? wide : w.wrap(wide));
  };

const cmov =
  (cc: number): Semantics =>
  (m) => {
    const s = m.let(m.value(1)); // read (and may fault) whatever the condition
    const d = m.place(0, 'modify');
    d.set(w.select(m.condition(cc), s, d.get())); // a 32-bit destination is zero-extended either way
  };

const setcc =
  (cc: number): Semantics =>
  (m) => {
    const value = m.let(m.condition(cc));
    m.place(0, 'write').set(value);
  };

const direction =
  (set: boolean): Semantics =>
  (m) => {
    const flags = w.load32(m.c, SYSFLAGS);
    m.f.do(w.store32(m.c, set ? w.or(flags, w.i32(Flag.DF)) : w.and(flags, w.i32(~Flag.DF)), SYSFLAGS));
  };

export const conditionNames = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];

/** CLFLUSH, CLFLUSHOPT, CLWB: caches are not modelled, but the address is translated and checked as a byte read is. */
const flushLine: Semantics = (m) => {
  m.place(0, 'read');
};

export const moves: SemanticsTable = {
  mov(m) {
    const v = m.let(m.value(1));
    m.place(0, 'write').set(v);
  },
  movzx8: extend(false, 8),
  movzx16: extend(false, 16),
  movsx8: extend(true, 8),
  movsx16: extend(true, 16),
  movsxd(m) {
    const v = m.let(m.place(1, 'read').get());
    m.place(0, 'write').set(m.width === 64 ? w.signed64(v) : mask(v, m.width));
  },
  lea(m) {
    const ea = m.let(m.effectiveAddress());
    m.place(0, 'write').set(m.width === 64 ? ea : mask(w.wrap(ea), m.width));
  },
  xchg(m) {
    const d = m.place(0, 'modify');
    const s = m.place(1, 'modify');
    const a = m.let(d.get());
    const b = m.let(s.get());
    s.set(a);
    d.set(b);
  },
  cbw(m) {
    // CBW, CWDE, CDQE: sign-extend the lower half of the accumulator.
    const half = m.width === 64 ? 32 : m.width === 32 ? 16 : 8;
    const wide = signExtend(m.register(0, half).get(), half);
    m.register(0, m.width).set(m.width === 64 ? wide : w.wrap(wide));
  },
  cwd(m) {
    // CWD, CDQ, CQO: the accumulator's sign into rDX.
    const sign = w.shrS(signExtend(m.register(0, m.width).get(), m.width), w.i64(63));
    m.register(16, m.width).set(m.width === 64 ? sign : w.wrap(sign));
  },
  nop() {},
  nop_rm() {},
  clflush: flushLine,
  clflushopt: flushLine,
  clwb: flushLine,
  cld: direction(false),
  std: direction(true),
  lahf,
  sahf,
  cmpxchg8b(m) {
    // Also CMPXCHG16B (REX.W), which wants 16-byte alignment (#GP).
    const sixteen = m.width === 64;
    const half = sixteen ? 64 : 32;
    const ea = m.let(m.effectiveAddress());
    if (sixteen) m.raiseIf(w.wrap(w.and(ea, w.i64(15))), 13);
    const address = m.translate(ea, half / 4, 2);
    const load = (offset: number): w.Value => (sixteen ? w.load64 : w.load32)(address, offset);
    const low = m.let(load(0));
    const high = m.let(load(half / 8));
    const [rax, rcx, rdx, rbx] = [0, 1, 2, 3].map((n) => m.register(n * 8, half)) as [Place, Place, Place, Place];
    const equal = m.let(w.and(w.eq(low, rax.get()), w.eq(high, rdx.get())));
    // ZF alone changes: the other arithmetic flags are carried over by way of SAHF's form.
    const flags = m.let(w.or(w.and(statusByte(m), w.i32(~Flag.ZF)), w.shl(equal, w.i32(6))));
    storeStatusByte(m, flags);
    const outLow = m.let(w.select(equal, rbx.get(), low));
    const outHigh = m.let(w.select(equal, rcx.get(), high));
    m.f.if(w.eqz(equal), () => {
      rax.set(low);
      rdx.set(high);
    });
    const store = sixteen ? w.store64 : w.store32;
    m.f.do(store(address, outLow, 0));
    m.f.do(store(address, outHigh, half / 8));
    m.commit(address);
  },
  ...Object.fromEntries(conditionNames.flatMap((name, cc) => [[`cmov${name}`, cmov(cc)], [`set${name}`, setcc(cc)]])), // prettier-ignore
};
