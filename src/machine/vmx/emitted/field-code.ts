import * as L from '../../cpu/layout.ts';
import { FunctionBuilder, type Local } from '../../cpu/wasm/function.ts';
import type { Value } from '../../cpu/wasm/value.ts';
import * as w from '../../cpu/wasm/value.ts';
import type { VmcsField } from '../fields.ts';

/** Types of segments that may be read and written with the limit as it is, a bit each: SDM Vol. 3, table 3-1. Expand-down ones go the exact way. */
const READABLE = 0b1100_1100_0000_1111;
const WRITABLE = 0b1100;

/**
 * A function on a CPU block and a VMCS, its parameters. VM entries and exits move some hundred words between the two, nearly all of
 * them unchanged: as emitted code that is a load and a store each.
 */
export class FieldCode {
  readonly f = new FunctionBuilder(['i32', 'i32']);
  readonly c: Local = this.f.param(0);
  readonly vmcs: Local = this.f.param(1);

  /** A field, zero-extended to its type: i32 up to 32 bits, else i64. */
  field(f: VmcsField): Value {
    return (f.width === 16 ? w.load16u : f.width === 32 ? w.load32 : w.load64)(this.vmcs, f.offset);
  }
  setField(f: VmcsField, v: Value): void {
    this.f.do((f.width === 16 ? w.store16 : f.width === 32 ? w.store32 : w.store64)(this.vmcs, v, f.offset));
  }

  /** A slot of the CPU block, of as many bits as the value. */
  set(slot: number, v: Value): void {
    this.f.do((v.type === 'i32' ? w.store32 : w.store64)(this.c, v, slot));
  }

  /** A field into a slot, and back. */
  load(slot: number, f: VmcsField): void {
    this.set(slot, this.field(f));
  }
  save(slot: number, f: VmcsField): void {
    this.setField(f, (f.width === 16 || f.width === 32 ? w.load32 : w.load64)(this.c, slot));
  }

  /** A segment register with the fast limits that follow from it: `Segment.load`. */
  segment(n: number, selector: Value, base: Value, limit: Value, attr: Value): void {
    const at = L.SEGMENTS + n * L.SEGMENT_SIZE;
    this.f.scope(() => {
      const rights = this.f.let(attr);
      const last = this.f.let(limit);
      this.set(at + L.SEG_SELECTOR, selector);
      this.set(at + L.SEG_ATTR, rights);
      this.set(at + L.SEG_BASE, base);
      this.set(at + L.SEG_LIMIT, last);
      const end = this.f.let(w.add(w.unsigned64(last), w.i64(1)));
      const usable = this.f.let(w.eq(w.and(rights, w.i32(0x1_0090)), w.i32(0x90)));
      const allowed = (types: number): Value => w.and(usable, w.shrU(w.i32(types), w.and(rights, w.i32(15))));
      this.set(at + L.SEG_READ_END, w.select(w.and(allowed(READABLE), w.i32(1)), end, w.i64(0)));
      this.set(at + L.SEG_WRITE_END, w.select(w.and(allowed(WRITABLE), w.i32(1)), end, w.i64(0)));
    });
  }
}
