import type { Emitter } from '../tiers/emitter.ts';
import { AccessKind, loadWidth, storeWidth } from '../tiers/emitter.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { NOT_RETIRED, SYSFLAGS } from '../layout.ts';
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

/** Iterations that are ticks but no retired instructions: only the last retires one. */
const countIterations = (m: Emitter, n: Value): void => m.f.do(w.store64(m.c, w.add(w.load64(m.c, NOT_RETIRED), n), NOT_RETIRED));

interface StringOperation {
  /** CMPS and SCAS end early by ZF. */
  readonly compares: boolean;
  /** MOVS and STOS can be done for many elements at once; do they read from [rSI]? */
  readonly bulk?: 'rsi' | 'rax';
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
    if (op.bulk) bulk(m, op.bulk);
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
    countIterations(m, w.i64(1));
    m.leaveIfAsked(m.here());
    m.again();
  };
}

const min = (m: Emitter, a: Value, b: Value): Local => {
  const x = m.let(a);
  const y = m.let(b);
  return m.let(w.select(w.ltU(x, y), x, y));
};

/**
 * As many iterations at once as lie in one page of plain RAM for each operand that the TLB knows (so nothing can fault, and
 * nobody watches) and as the budget allows. An element is copied after the other, upwards: what is copied may have been
 * written just before. Whatever does not fit, the iteration that follows does.
 */
function bulk(m: Emitter, source: 'rsi' | 'rax'): void {
  const { f } = m;
  const size = m.width / 8;
  const rcx = m.register(RCX, 64);
  const [rdi, rsi] = [m.register(RDI, 64), m.register(RSI, 64)];
  const roomAt = (address: Value): Value => w.shrU(w.sub(w.i32(4096), w.and(w.wrap(address), w.i32(0xfff))), w.i32(Math.log2(size)));
  f.if(w.eqz(w.and(w.load32(m.c, SYSFLAGS), w.i32(Flag.DF))), () => {
    const to = m.let(m.lookup(rdi.get(), AccessKind.write));
    const from = m.let(source === 'rsi' ? m.lookup(rsi.get(), AccessKind.read) : w.i32(-1));
    f.if(w.select(to, from, w.i32(0)), () => {
      // The block is entered again while there is budget for one more iteration.
      const budget = w.add(w.sub(m.left, m.floor), w.i32(1));
      let room: Value = min(m, budget, roomAt(rdi.get()));
      if (source === 'rsi') room = min(m, room, roomAt(rsi.get()));
      const n = m.let(w.wrap(min(m, rcx.get(), w.unsigned64(room))));
      f.if(w.gtU(n, w.i32(1)), () => {
        const bytes = m.let(w.shl(n, w.i32(Math.log2(size))));
        const end = m.let(w.add(to, bytes));
        const value = source === 'rax' ? m.let(m.register(RAX, m.width).get()) : undefined;
        f.loop((more) => {
          f.do(storeWidth(to, value ?? loadWidth(from, m.width), m.width));
          f.set(to, w.add(to, w.i32(size)));
          if (!value) f.set(from, w.add(from, w.i32(size)));
          f.brIf(more, w.ltU(to, end));
        });
        const moved = m.let(w.unsigned64(bytes));
        rdi.set(w.add(rdi.get(), moved));
        if (source === 'rsi') rsi.set(w.add(rsi.get(), moved));
        rcx.set(w.sub(rcx.get(), w.unsigned64(n)));
        f.set(m.left, w.sub(m.left, n));
        countIterations(m, w.sub(w.unsigned64(n), w.unsigned64(w.eqz(rcx.get()))));
        f.if(w.eqz(rcx.get()), () => m.next());
        m.again();
      });
    });
  });
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
  movs: repeated({ compares: false, bulk: 'rsi', iterate: (m, by) => write(m, read(m, RSI), by, true) }),
  stos: repeated({
    compares: false,
    bulk: 'rax',
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
