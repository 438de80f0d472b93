import {
  ALIGN_HALVES, BIG_PAGES, BIG_PAGES_SIZE, CODE_TLB_ENTRIES, CODE_TLB_ENTRY_SIZE, CPU_BLOCK_SIZE, CPU_BLOCKS, RESERVED_ADDRESS, TLB_ENTRIES,
  TLB_ENTRY_SIZE, TLB_HALF_SIZE, TLB_USED,
} from '../../memory/layout.ts'; // prettier-ignore
import { CR4, VmxMode } from '../cpu.ts';
import * as L from '../layout.ts';
import { BIG_NOTED, BIG_OVERFLOW, BIG_PAGE_BITS, BIG_PAGE_SETS, BIG_PAGE_WAYS, sizeCode } from '../mmu/big-pages.ts';
import { CONTEXT_CR3, CONTEXT_CR4, UNUSED } from '../mmu/contexts.ts';
import { CODE_ENTRIES, INVALID, READ_TAG, WRITE_TAG } from '../mmu/tlb.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';
import { contextInUse } from './walk.ts';

const CR3_REGISTER = 3;

/** At CPL 0 outside VMX non-root operation, without PCIDs: there is one context to change. */
function requireUsual(q: Quick): void {
  q.giveUpIf(w.or(q.u32(L.CPL), w.and(q.u32(L.CR4), w.i32(CR4.PCIDE))));
  q.giveUpIf(w.eq(q.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot)));
}

/** The halves that the context in use can reach: supervisor, user, alignment-checked. */
function halves(q: Quick, context: Value): readonly Local[] {
  const cpu = w.divU(w.sub(q.c, w.i32(CPU_BLOCKS)), w.i32(CPU_BLOCK_SIZE));
  const align = w.add(w.i32(ALIGN_HALVES), w.mul(cpu, w.i32(TLB_HALF_SIZE)));
  return [q.let(context), q.let(w.add(context, w.i32(TLB_HALF_SIZE))), q.let(align)];
}

/** Invalidates what a half holds: `flushEntries` of mmu/tlb.ts. */
function flushHalf(q: Quick, half: Value): void {
  const { f } = q;
  const flushWords = (first: number, end: number, invalidate: (entry: Value) => void): void => {
    const n = q.let(w.i32(first));
    f.loop((nextWord) => {
      const bits = q.let(w.load64(w.add(half, n), TLB_USED));
      f.if(w.ne(bits, w.i64(0)), () => {
        f.do(w.store64(w.add(half, n), w.i64(0), TLB_USED));
        f.loop((nextBit) => {
          invalidate(w.add(w.shl(w.sub(n, w.i32(first)), w.i32(3)), w.wrap(w.ctz(bits))));
          f.set(bits, w.and(bits, w.sub(bits, w.i64(1))));
          f.brIf(nextBit, w.ne(bits, w.i64(0)));
        });
      });
      f.set(n, w.add(n, w.i32(8)));
      f.brIf(nextWord, w.ne(n, w.i32(end)));
    });
  };
  const [data, all] = [TLB_ENTRIES / 8, (TLB_ENTRIES + CODE_TLB_ENTRIES) / 8];
  flushWords(0, data, (number) => {
    const entry = q.let(w.add(half, w.mul(number, w.i32(TLB_ENTRY_SIZE))));
    f.do(w.store32(entry, w.i32(INVALID), READ_TAG));
    f.do(w.store32(entry, w.i32(INVALID), WRITE_TAG));
  });
  flushWords(data, all, (number) => f.do(w.store32(w.add(half, w.mul(number, w.i32(CODE_TLB_ENTRY_SIZE))), w.i32(INVALID), CODE_ENTRIES)));
}

/** MOV to CR3 of a valid value: SDM Vol. 3, 4.10.4.1. It flushes the context, and is its new CR3. */
export function movToCr(q: Quick): void {
  const { f } = q;
  q.giveUpIf(w.ne(q.regNumber(), w.i32(CR3_REGISTER)));
  requireUsual(q);
  const value = q.let(w.load64(q.rm()));
  const reserved = w.or(w.load64(w.i32(0), RESERVED_ADDRESS), w.i64(-1n << 52n));
  q.giveUpIf(w.ne(w.and(value, reserved), w.i64(0)));
  const context = q.let(contextInUse(q.c));
  q.giveUpIf(w.eq(w.load32(context, CONTEXT_CR4), w.i32(UNUSED)));
  for (const half of halves(q, context)) flushHalf(q, half);
  f.if(w.load32(context, BIG_NOTED), () => {
    f.do(w.fill(w.add(context, w.i32(BIG_PAGES)), w.i32(0), w.i32(BIG_PAGES_SIZE)));
    f.do(w.store32(context, w.i32(0), BIG_NOTED));
    f.do(w.store32(context, w.i32(0), BIG_OVERFLOW));
  });
  q.setU64(L.CR3, value);
  f.do(w.store64(context, value, CONTEXT_CR3));
  q.advance();
}

/** Gives up when the address lies in a page larger than 4 KBytes that the context may hold other pieces of: `forgetBig` of mmu/big-pages.ts. */
function requireSmallPage(q: Quick, context: Local, linear: Local): void {
  const { f } = q;
  f.if(w.load32(context, BIG_NOTED), () => {
    q.giveUpIf(w.load32(context, BIG_OVERFLOW));
    for (const bits of BIG_PAGE_BITS) {
      const number = q.let(w.or(w.and(linear, w.i64(-1n << BigInt(bits))), w.i64(sizeCode(bits))));
      const set = w.and(w.wrap(w.shrU(linear, w.i64(bits))), w.i32(BIG_PAGE_SETS - 1));
      const at = q.let(w.add(context, w.mul(set, w.i32(BIG_PAGE_WAYS * 8))));
      for (let way = 0; way < BIG_PAGE_WAYS; way++) q.giveUpIf(w.eq(w.load64(at, BIG_PAGES + way * 8), number));
    }
  });
}

/** INVLPG of an address that is a register and a displacement of 8 bits: `flushPage` of mmu/tlb.ts. */
export function invlpg(q: Quick): void {
  const { f } = q;
  requireUsual(q);
  const linear = q.let(q.simpleAddress());
  const context = q.let(contextInUse(q.c));
  requireSmallPage(q, context, linear);
  const page = w.wrap(w.shrU(linear, w.i64(12)));
  const data = q.let(w.mul(w.and(page, w.i32(TLB_ENTRIES - 1)), w.i32(TLB_ENTRY_SIZE)));
  const code = q.let(w.mul(w.and(page, w.i32(CODE_TLB_ENTRIES - 1)), w.i32(CODE_TLB_ENTRY_SIZE)));
  for (const half of halves(q, context)) {
    f.do(w.store32(w.add(half, data), w.i32(INVALID), READ_TAG));
    f.do(w.store32(w.add(half, data), w.i32(INVALID), WRITE_TAG));
    f.do(w.store32(w.add(half, code), w.i32(INVALID), CODE_ENTRIES));
  }
  q.advance();
}
