import type { Emitter } from '../tiers/emitter.ts';
import { AccessKind, loadWidth, storeWidth } from '../tiers/emitter.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { SYSFLAGS } from '../layout.ts';
import { Flag } from '../cpu.ts';
import { flagsSub } from './alu.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

const RAX = 0;
const RCX = 8;
const RSI = 48;
const RDI = 56;

/** Bytes to the next element: DF says which way. */
const step = (m: Emitter): Local => m.let(w.select(w.and(w.load32(m.c, SYSFLAGS), w.i32(Flag.DF)), w.i64(-m.width / 8), w.i64(m.width / 8)));

const advance = (m: Emitter, register: number, by: Value): void => {
  const r = m.register(register, 64);
  r.set(w.add(r.get(), by));
};

interface StringOperation {
  /** CMPS and SCAS end early by ZF. */
  readonly compares: boolean;
  iterate(m: Emitter, by: Local): void;
}

/**
 * 64-bit mode, 64-bit addresses, no segment override (other forms are helpers). The record is alone in its block; its
 * displacement is the offset of the next instruction. With a
 * repeat prefix every iteration counts as one instruction and the instruction restarts at each, so an interrupt, a
 * fault or a debugger's step finds rCX, rSI and rDI between two iterations: SDM Vol. 2, REP.
 */
function repeated(op: StringOperation): Semantics {
  return (m) => {
    const by = step(m);
    if (m.repeat === 0) {
      op.iterate(m, by);
      m.takeCount();
      m.leaveIfAsked(m.codeAddress(m.disp()));
      m.next();
      return;
    }
    const rcx = m.register(RCX, 64);
    m.f.if(w.eqz(rcx.get()), () => {
      m.takeCount();
      m.next();
    });
    op.iterate(m, by);
    rcx.set(w.sub(rcx.get(), w.i64(1)));
    m.takeCount();
    // Done when the count is used up or, for CMPS and SCAS, when ZF differs from what the prefix wants.
    const done = w.eqz(rcx.get());
    const stop = op.compares ? w.or(done, m.repeat === 0xf3 ? w.eqz(m.zf()) : m.zf()) : done;
    m.f.if(stop, () => {
      m.leaveIfAsked(m.codeAddress(m.disp()));
      m.next();
    });
    m.leaveIfAsked(m.here());
    m.again();
  };
}

const read = (m: Emitter, register: number): Local => {
  const address = m.translate(m.register(register, 64).get(), m.width / 8, AccessKind.read);
  return m.let(loadWidth(address, m.width));
};

/** Stores to [rDI] and moves the pointers; the store's commit is last but for the branch that follows. */
const write = (m: Emitter, v: Value, by: Local, source: boolean): void => {
  const address = m.translate(m.register(RDI, 64).get(), m.width / 8, AccessKind.write);
  if (source) advance(m, RSI, by);
  advance(m, RDI, by);
  m.f.do(storeWidth(address, v, m.width));
  m.commit(address);
};

export const strings: SemanticsTable = {
  movs: repeated({ compares: false, iterate: (m, by) => write(m, read(m, RSI), by, true) }),
  stos: repeated({
    compares: false,
    iterate: (m, by) => write(m, m.let(m.register(RAX, m.width).get()), by, false),
  }), // prettier-ignore
  lods: repeated({
    compares: false,
    iterate(m, by) {
      const v = read(m, RSI);
      m.register(RAX, m.width).set(v);
      advance(m, RSI, by);
    },
  }), // prettier-ignore
  scas: repeated({
    compares: true,
    iterate(m, by) {
      const a = m.let(m.register(RAX, m.width).get());
      const b = read(m, RDI);
      flagsSub(m, a, b, m.let(w.sub(a, b)), m.width);
      advance(m, RDI, by);
    },
  }), // prettier-ignore
  cmps: repeated({
    compares: true,
    iterate(m, by) {
      const a = read(m, RSI);
      const b = read(m, RDI);
      flagsSub(m, a, b, m.let(w.sub(a, b)), m.width);
      advance(m, RSI, by);
      advance(m, RDI, by);
    },
  }), // prettier-ignore
};
