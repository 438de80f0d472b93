import type { Emitter, Width } from '../tiers/emitter.ts';
import { AccessKind, mask, storeWidth, loadWidth } from '../tiers/emitter.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import * as L from '../layout.ts';
import type { SemanticsTable } from './semantics.ts';

const RSP = 4 * 8;
const RBP = 5 * 8;

/** rSP as an offset: in 64-bit mode all of it, else SP or ESP by SS.B. */
function stackMask(m: Emitter): Value {
  return w.select(m.big(L.SS), w.i64(0xffff_ffffn), w.i64(0xffffn));
}

/** Host address of `bytes` bytes at stack offset `offset`, with SS's limit and base outside 64-bit mode. */
function stackAddress(m: Emitter, offset: Value, bytes: number, write: boolean): Local {
  const kind = (write ? AccessKind.write : AccessKind.read) | AccessKind.stack;
  if (!m.legacy) return m.translate(offset, bytes, kind);
  const off = m.let(offset);
  m.f.if(w.gtU(w.add(off, w.i64(bytes)), m.end(L.SS, write)), () => m.checkSegment(off, bytes | (write ? 0x100 : 0) | (L.SS << 16)));
  const linear = w.and(w.add(off, m.base(L.SS)), w.i64(0xffff_ffffn));
  return m.translate(linear, bytes, kind);
}

/** Offset `delta` bytes from the stack pointer, wrapped to the stack's width. */
function stackOffset(m: Emitter, delta: number | Value): Value {
  const by = typeof delta === 'number' ? w.i64(delta) : delta;
  const moved = w.add(m.register(RSP, 64).get(), by);
  return m.legacy ? w.and(moved, stackMask(m)) : moved;
}

/** Sets rSP: outside 64-bit mode SP keeps ESP's upper half when SS.B is clear. */
function setStackPointer(m: Emitter, offset: Value): void {
  const rsp = m.register(RSP, 64);
  if (!m.legacy) return rsp.set(offset);
  const keep = m.let(stackMask(m));
  rsp.set(w.or(w.and(rsp.get(), w.and(w.not(keep), w.i64(0xffff_ffffn))), w.and(offset, keep)));
}

/** Pushes a value of a width; the store comes last. */
export function push(m: Emitter, value: Value, width: Width): void {
  const offset = m.let(stackOffset(m, -width / 8));
  const address = stackAddress(m, offset, width / 8, true);
  setStackPointer(m, offset);
  m.f.do(storeWidth(address, value, width));
  m.commit(address);
}

/** Reads the top of the stack; `release` then drops it. */
function top(m: Emitter, width: Width): { readonly value: Local; release(extra?: Value): void } {
  const address = stackAddress(m, stackOffset(m, 0), width / 8, false);
  const value = m.let(loadWidth(address, width));
  return {
    value,
    release: (extra) => setStackPointer(m, m.let(stackOffset(m, extra ? w.add(extra, w.i64(width / 8)) : width / 8))),
  };
}

/** A 64-bit address that a near branch may load: else #GP(0) (SDM Vol. 1, 3.3.7.1). */
export function requireCanonical(m: Emitter, target: Value): void {
  m.raiseIf(w.ne(w.shrS(w.shl(target, w.i64(16)), w.i64(16)), target), 13);
}

/** Linear address of an offset in CS outside 64-bit mode: cut to the operand size and checked against CS's limit. */
export function legacyTarget(m: Emitter, target: Value): Local {
  const offset = m.let(w.and(target, w.i64(m.width === 16 ? 0xffffn : 0xffff_ffffn)));
  m.raiseIf(w.gtU(offset, m.limit(L.CS)), 13);
  return m.let(w.and(w.add(offset, m.base(L.CS)), w.i64(0xffff_ffffn)));
}

/** An address in the page being executed as an offset in CS. */
export function codeOffset(m: Emitter, offset: Value): Value {
  const linear = m.codeAddress(offset);
  return m.legacy ? w.sub(linear, m.base(L.CS)) : linear;
}

const narrow = (m: Emitter, v: Value): Value => (m.width === 64 ? v : mask(w.wrap(v), m.width));

export const stack: SemanticsTable = {
  push(m) {
    const v = m.let(m.value(0));
    push(m, v, m.width);
  },
  pop(m) {
    const t = top(m, m.width);
    t.release();
    m.place(0, 'write').set(t.value);
  },
  leave(m) {
    // rSP = rBP, then pop rBP: the read may fault, so the pointer moves last.
    const rbp = m.register(RBP, 64);
    const offset = m.let(m.legacy ? w.and(rbp.get(), stackMask(m)) : rbp.get());
    const address = stackAddress(m, offset, m.width / 8, false);
    const value = m.let(loadWidth(address, m.width));
    setStackPointer(m, w.add(offset, w.i64(m.width / 8)));
    m.register(RBP, m.width).set(value);
  },
  call(m) {
    // The return address lies at IMM's page offset; the target at DISP.
    const target = m.let(codeOffset(m, m.disp()));
    const linear = m.legacy ? legacyTarget(m, target) : target;
    push(m, narrow(m, codeOffset(m, m.imm(64))), m.width);
    m.takeCount();
    m.leaveIfAsked(linear);
    m.branch(() => linear);
  },
  call_rm(m) {
    const v = m.let(m.place(0, 'read').get());
    const target = m.width === 64 ? v : w.unsigned64(v);
    if (!m.legacy) requireCanonical(m, target);
    const linear = m.legacy ? legacyTarget(m, target) : target;
    push(m, narrow(m, codeOffset(m, m.imm(64))), m.width);
    m.takeCount();
    m.leaveIfAsked(linear);
    m.jumpIndirect(linear);
  },
  ret(m) {
    const t = top(m, m.width);
    const target = m.let(w.unsigned64(t.value));
    if (!m.legacy) requireCanonical(m, target);
    const linear = m.legacy ? legacyTarget(m, target) : target;
    t.release(m.operands.length > 0 ? m.imm(64) : undefined);
    m.takeCount();
    m.jump(linear);
  },
};
