import * as L from '../layout.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { CpuCode } from './cpu-code.ts';

/** Gives up where a change of CPL stops or starts performance counters: perfmon/counters.ts, `storeCpl`. */
export const giveUpIfCounted = (q: CpuCode): void => q.giveUpIf(q.u32(L.COUNTERS_FILTERED));

/** Loads CPL, and the TLB half that goes with it. Not for CPL 3 where alignment is checked. */
export function setCpl(q: CpuCode, cpl: 0 | 3): void {
  q.setU32(L.CPL, w.i32(cpl));
  q.setU32(L.TLB, q.tlbHalf(cpl === 3));
}

/** Loads a flat segment of 4 GiB: `attr` is that of readable code or of writable data, present (VMCS access-rights format). */
export function loadFlat(q: CpuCode, segment: number, selector: Value, attr: number): void {
  const at = L.SEGMENTS + segment * L.SEGMENT_SIZE;
  const end = 0x1_0000_0000;
  q.setU32(at + L.SEG_SELECTOR, selector);
  q.setU32(at + L.SEG_ATTR, w.i32(attr));
  q.setU64(at + L.SEG_BASE, w.i64(0));
  q.setU32(at + L.SEG_LIMIT, w.i32(-1));
  q.setU64(at + L.SEG_READ_END, w.i64(end));
  q.setU64(at + L.SEG_WRITE_END, w.i64((attr & 8) === 0 ? end : 0));
}
