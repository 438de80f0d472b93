/**
 * What emitted code calls when a TLB does not answer: the walk, and the entry that is left in the TLB, in WebAssembly. What is
 * not plain RAM, crosses a page, is watched or checked for alignment, and what the walk gives up, is for TypeScript
 * (mmu/slow-path.ts, `#enter` of the runner).
 */
import { ALIGN_HALVES, CODE_TLB_ENTRIES, FORCED, PAGE_CODE, PAGE_MARKS, RAM, TLB_ENTRIES, TLB_USED, WATCHED } from '../../memory/layout.ts';
import { CR4, EFER } from '../cpu.ts';
import { Vector } from '../fault.ts';
import * as L from '../layout.ts';
import { PageMark } from '../mmu/locate.ts';
import { CODE_ENTRIES, CODE_TABLE, HOST_DELTA, HOST_PAGE, PHYS_PAGE, READ_TAG, SEEN_WRITE, WRITE_TAG } from '../mmu/tlb.ts';
import { OLD_CR2, Want } from '../mmu/walk.ts';
import type { Local } from '../wasm/function.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { GIVEN_UP, Walked } from './walk.ts';

const PAGE = -4096n;
/** DR7: breakpoints that are enabled. */
const DR7 = L.DR0 + 7 * 8;
const ENABLES = 0xff;

/** The linear address in SLOW_ADDRESS; outside IA-32e mode it has 32 bits. */
function linearAddress(f: FunctionBuilder, c: Value): Local {
  const linear = f.let(w.load64(c, L.SLOW_ADDRESS));
  f.if(w.eqz(w.and(w.load32(c, L.EFER), w.i32(EFER.LMA))), () => f.set(linear, w.and(linear, w.i64(0xffff_ffff))));
  return linear;
}

/** SDM Vol. 1, 3.3.7.1. A 32-bit address is canonical. */
function canonical(f: FunctionBuilder, c: Value, linear: Value): Value {
  const unused = f.let(w.select(w.and(w.load32(c, L.CR4), w.i32(CR4.LA57)), w.i64(7), w.i64(16)));
  return w.eq(w.shrS(w.shl(linear, unused), unused), linear);
}

/** `Want.user` at CPL 3. */
const userBit = (c: Value): Value => w.select(w.eq(w.load32(c, L.CPL), w.i32(3)), w.i32(Want.user), w.i32(0));

/** Notes that an entry of a half may be valid: `use` of mmu/tlb.ts. */
function use(f: FunctionBuilder, half: Value, number: Value): void {
  const word = f.let(w.add(half, w.shl(w.shrU(number, w.i32(5)), w.i32(2))));
  f.do(w.store32(word, w.or(w.load32(word, TLB_USED), w.shl(w.i32(1), number)), TLB_USED));
}

/**
 * `slow`, and `ram`, which is the same for plain RAM and does not fault.
 * @param walk numbers of the functions that are called: the walk, and the one of the same name in TypeScript
 */
export function slow(walk: number, general: number, faults: boolean): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'], 'i32');
  const [c, record, left, info] = [f.param(0), f.param(1), f.param(2), f.param(3)];
  f.block((giveUp) => {
    f.brIf(giveUp, w.or(w.load32(w.i32(0), WATCHED), w.and(w.load32(c, DR7), w.i32(ENABLES))));
    const half = f.let(w.load32(c, L.TLB));
    f.brIf(giveUp, w.geU(half, w.i32(ALIGN_HALVES)));
    const linear = linearAddress(f, c);
    const offset = f.let(w.and(w.wrap(linear), w.i32(0xfff)));
    f.brIf(giveUp, w.gtU(w.add(offset, w.and(info, w.i32(0xff))), w.i32(4096)));
    f.brIf(giveUp, w.eqz(canonical(f, c, linear)));
    const page = f.let(w.and(linear, w.i64(PAGE)));
    const number = f.let(w.and(w.wrap(w.shrU(linear, w.i64(12))), w.i32(TLB_ENTRIES - 1)));
    const entry = f.let(w.add(half, w.shl(number, w.i32(5))));
    const write = f.let(w.ne(w.and(info, w.i32(0x300)), w.i32(0)));
    // A write to a page with decoded code, which the TLB knows.
    f.brIf(giveUp, w.and(w.and(write, w.ne(w.load32(entry, SEEN_WRITE), w.i32(0))), w.eq(w.load64(entry, READ_TAG), page)));
    const walked = f.let(f.call(walk, [c, linear, w.or(write, userBit(c))], 'i64'));
    f.if(w.ltS(walked, w.i64(0)), () => {
      if (!faults) {
        f.br(giveUp);
        return;
      }
      f.brIf(giveUp, w.eq(walked, w.i64(GIVEN_UP)));
      f.do(w.store64(c, w.load64(c, L.CR2), OLD_CR2));
      f.do(w.store64(c, linear, L.CR2));
      f.do(w.store32(c, w.i32(Vector.PF | 0x100), L.FAULT_VECTOR));
      f.do(w.store32(c, w.and(w.wrap(walked), w.i32(0xff)), L.FAULT_CODE));
      f.do(w.store32(c, record, L.RECORD));
      f.do(w.store32(c, left, L.LEFT));
      f.return(w.i32(0));
    });
    const physical = f.let(w.wrap(w.shrU(walked, w.i64(12))));
    const mark = f.let(w.load8u(physical, PAGE_MARKS));
    f.brIf(giveUp, w.and(mark, w.select(write, w.i32(0xff), w.i32(~PageMark.code))));
    const host = f.let(w.add(w.i32(RAM), w.shl(physical, w.i32(12))));
    f.if(w.wrap(w.and(walked, w.i64(Walked.mayCache))), () => {
      use(f, half, number);
      const mayWrite = f.let(w.wrap(w.shrU(w.and(walked, w.i64(Walked.mayCacheWrite)), w.i64(1))));
      f.do(w.store64(entry, page, READ_TAG));
      // A tag with bit 0 set matches nothing.
      const direct = w.and(mayWrite, w.eqz(mark));
      f.do(w.store64(entry, w.or(page, w.unsigned64(w.eqz(direct))), WRITE_TAG));
      f.do(w.store32(entry, host, HOST_PAGE));
      f.do(w.store32(entry, w.sub(host, w.wrap(page)), HOST_DELTA));
      f.do(w.store32(entry, physical, PHYS_PAGE));
      f.do(w.store32(entry, w.and(mayWrite, w.ne(mark, w.i32(0))), SEEN_WRITE));
    });
    f.return(w.add(host, offset));
  });
  f.return(f.call(general, [c, record, left, info]));
  return f;
}

/** The same for `enter`: a code page that the TLB does not know but that is decoded. */
export function enter(walk: number, general: number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'], 'i32');
  const [c, record, left] = [f.param(0), f.param(1), f.param(2)];
  f.block((giveUp) => {
    f.brIf(giveUp, w.or(w.load32(w.i32(0), FORCED), w.ne(w.load32(c, L.CODE_SIZE), w.i32(2))));
    const linear = f.let(w.load64(c, L.SLOW_ADDRESS));
    const page = f.let(w.and(linear, w.i64(PAGE)));
    const half = f.let(w.load32(c, L.TLB));
    const number = f.let(w.and(w.wrap(w.shrU(linear, w.i64(12))), w.i32(CODE_TLB_ENTRIES - 1)));
    const entry = f.let(w.add(half, w.shl(number, w.i32(4))));
    // Known, so it is the block that is not built yet.
    f.brIf(giveUp, w.eq(w.load64(entry, CODE_ENTRIES), page));
    f.brIf(giveUp, w.eqz(canonical(f, c, linear)));
    const walked = f.let(f.call(walk, [c, linear, w.or(w.i32(Want.execute), userBit(c))], 'i64'));
    f.brIf(giveUp, w.ltS(walked, w.i64(0)));
    const table = f.let(w.load32(w.shl(w.wrap(w.shrU(walked, w.i64(12))), w.i32(2)), PAGE_CODE));
    f.brIf(giveUp, w.eqz(table));
    use(f, half, w.add(number, w.i32(TLB_ENTRIES)));
    f.do(w.store64(entry, page, CODE_ENTRIES));
    f.do(w.store32(entry, table, CODE_ENTRIES + CODE_TABLE));
    const block = f.let(w.load32(w.add(table, w.shl(w.and(w.wrap(linear), w.i32(0xfff)), w.i32(2)))));
    f.brIf(giveUp, w.eqz(block));
    f.return(block);
  });
  f.return(f.call(general, [c, record, left]));
  return f;
}
