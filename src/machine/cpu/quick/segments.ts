import { CPU_BLOCKS, CPU_BLOCK_SIZE, TLB_HALF_SIZE, TLB_PER_CPU, TLBS } from '../../memory/layout.ts';
import { CR4 } from '../cpu.ts';
import * as L from '../layout.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

/** Loads CPL, and the TLB half that goes with it. Not for CPL 3 where alignment is checked. */
export function setCpl(q: Quick, cpl: Value): void {
  const level = q.let(cpl);
  q.setU32(L.CPL, level);
  const index = w.divU(w.sub(q.c, w.i32(CPU_BLOCKS)), w.i32(CPU_BLOCK_SIZE));
  const half = w.add(w.shl(q.u32(L.TLB_CONTEXT), w.i32(1)), w.eq(level, w.i32(3)));
  const at = w.add(w.mul(index, w.i32(TLB_PER_CPU)), w.mul(half, w.i32(TLB_HALF_SIZE)));
  q.setU32(L.TLB, w.add(at, w.i32(TLBS)));
}

/** Loads a flat segment of 4 GiB: `attr` is that of readable code or of writable data, present (VMCS access-rights format). */
export function loadFlat(q: Quick, segment: number, selector: Value, attr: number): void {
  const at = L.SEGMENTS + segment * L.SEGMENT_SIZE;
  const end = 0x1_0000_0000;
  q.setU32(at + L.SEG_SELECTOR, selector);
  q.setU32(at + L.SEG_ATTR, w.i32(attr));
  q.setU64(at + L.SEG_BASE, w.i64(0));
  q.setU32(at + L.SEG_LIMIT, w.i32(-1));
  q.setU64(at + L.SEG_READ_END, w.i64(end));
  q.setU64(at + L.SEG_WRITE_END, w.i64((attr & 8) === 0 ? end : 0));
}

/** Nonzero when an address is not canonical: SDM Vol. 1, 3.3.7.1. */
export function notCanonical(q: Quick, address: Value): Value {
  const v = q.let(address);
  const unused = q.let(w.select(w.and(q.u32(L.CR4), w.i32(CR4.LA57)), w.i64(7), w.i64(16)));
  return w.ne(w.shrS(w.shl(v, unused), unused), v);
}
