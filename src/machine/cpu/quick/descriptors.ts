import * as L from '../layout.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { UNUSABLE } from '../system/segments.ts';
import type { CpuCode } from './cpu-code.ts';

/** Attributes in the format of a descriptor's high word >> 8: P, S, code, accessed; conforming, D and L as said; DPL apart. */
const CODE64_MASK = 0x609d;
const CODE64 = 0x2099;
/** Data, writable, accessed, present. */
const DATA_MASK = 0x009b;
const DATA = 0x0093;

export const slotOf = (segment: number, field: number): number => L.SEGMENTS + segment * L.SEGMENT_SIZE + field;

/** A descriptor as it stands in memory, and its attributes. */
export interface Descriptor {
  readonly raw: Local;
  readonly attr: Local;
  readonly dpl: Local;
}

/** A descriptor of the GDT. Gives up for null selectors, the LDT, and what lies beyond the limit or is not in the TLB. */
export function descriptor(q: CpuCode, supervisor: Value, selector: Local): Descriptor {
  const offset = w.and(selector, w.i32(0xfff8));
  q.giveUpIf(w.or(w.and(selector, w.i32(4)), w.eqz(offset)));
  q.giveUpIf(w.gtU(w.or(selector, w.i32(7)), q.u32(L.GDTR_LIMIT)));
  const at = q.locate(supervisor, w.add(q.u64(L.GDTR_BASE), w.unsigned64(offset)), 8);
  const raw = q.let(w.load64(at));
  const attr = q.let(w.and(w.wrap(w.shrU(raw, w.i64(40))), w.i32(0xf0ff)));
  return { raw, attr, dpl: q.let(dplOf(attr)) };
}

export const dplOf = (attr: Value): Value => w.and(w.shrU(attr, w.i32(5)), w.i32(3));

/** Gives up unless it is non-conforming 64-bit code, present and accessed. */
export const requireCode64 = (q: CpuCode, d: Descriptor): void => q.giveUpIf(w.ne(w.and(d.attr, w.i32(CODE64_MASK)), w.i32(CODE64)));

/** Gives up unless it is writable data, present and accessed. */
export const requireStack = (q: CpuCode, d: Descriptor): void => q.giveUpIf(w.ne(w.and(d.attr, w.i32(DATA_MASK)), w.i32(DATA)));

/** Loads a segment register with a descriptor that passed one of the tests above: cpu.ts, `Segment.load`. */
export function loadSegment(q: CpuCode, segment: number, selector: Value, d: Descriptor): void {
  const { raw, attr } = d;
  const low = w.wrap(raw);
  const high = w.wrap(w.shrU(raw, w.i64(32)));
  const units = q.let(w.or(w.and(high, w.i32(0xf_0000)), w.and(low, w.i32(0xffff))));
  const pages = w.and(high, w.i32(0x80_0000));
  const limit = q.let(w.select(pages, w.or(w.shl(units, w.i32(12)), w.i32(0xfff)), units));
  const base = w.or(w.or(w.shrU(low, w.i32(16)), w.shl(w.and(high, w.i32(0xff)), w.i32(16))), w.and(high, w.i32(0xff00_0000)));
  const end = q.let(w.add(w.unsigned64(limit), w.i64(1)));
  q.setU32(slotOf(segment, L.SEG_SELECTOR), selector);
  q.setU32(slotOf(segment, L.SEG_ATTR), attr);
  q.setU32(slotOf(segment, L.SEG_LIMIT), limit);
  q.setU64(slotOf(segment, L.SEG_BASE), w.unsigned64(base));
  if (segment === L.CS) {
    q.setU64(slotOf(segment, L.SEG_READ_END), w.select(w.and(attr, w.i32(2)), end, w.i64(0)));
    q.setU64(slotOf(segment, L.SEG_WRITE_END), w.i64(0));
  } else {
    const usual = q.let(w.select(w.and(attr, w.i32(4)), w.i64(0), end));
    q.setU64(slotOf(segment, L.SEG_READ_END), usual);
    q.setU64(slotOf(segment, L.SEG_WRITE_END), usual);
  }
}

/** Loads a null selector, whose DPL stands for CPL in SS: segments.ts, `setNull`. */
export function loadNull(q: CpuCode, segment: number, selector: Value, dpl: Value): void {
  q.setU64(slotOf(segment, L.SEG_BASE), w.i64(0));
  dropSegment(q, segment, selector, w.or(w.shl(dpl, w.i32(5)), w.i32(UNUSABLE)));
}

function dropSegment(q: CpuCode, segment: number, selector: Value, attr: Value): void {
  q.setU32(slotOf(segment, L.SEG_SELECTOR), selector);
  q.setU32(slotOf(segment, L.SEG_ATTR), attr);
  q.setU32(slotOf(segment, L.SEG_LIMIT), w.i32(0));
  q.setU64(slotOf(segment, L.SEG_READ_END), w.i64(0));
  q.setU64(slotOf(segment, L.SEG_WRITE_END), w.i64(0));
}

/** After a return to an outer ring, `level`: segments.ts, `dropInnerSegments`. */
export function dropInnerSegments(q: CpuCode, level: Value): void {
  for (const segment of [L.ES, L.DS, L.FS, L.GS]) {
    q.f.scope(() => {
      const attr = q.let(q.u32(slotOf(segment, L.SEG_ATTR)));
      const stays = w.or(w.and(attr, w.i32(UNUSABLE)), w.eq(w.and(attr, w.i32(0x1c)), w.i32(0x1c)));
      q.f.if(w.eqz(w.or(stays, w.geU(dplOf(attr), level))), () => dropSegment(q, segment, w.i32(0), w.i32(UNUSABLE)));
    });
  }
}
