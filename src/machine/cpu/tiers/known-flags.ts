import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Width } from './emitter.ts';

/**
 * Flags as they follow from a subtraction `a - b` or an addition `a + b = r`, from a logical result `r` (CF = OF = 0), from INC or DEC
 * with the carry `cf` that they keep, or ZF and SF from a result. Operands are zero-extended to their type; `r` need not be.
 */
export type KnownFlags =
  | { readonly kind: 'sub'; readonly a: Value; readonly b: Value; readonly width: Width }
  | { readonly kind: 'add'; readonly a: Value; readonly b: Value; readonly r: Value; readonly width: Width }
  | { readonly kind: 'inc' | 'dec'; readonly r: Value; readonly cf: Value; readonly width: Width }
  | { readonly kind: 'logic' | 'result'; readonly r: Value; readonly width: Width };

/** A condition as one comparison: the order of SDM Vol. 1, appendix B. Undefined where the flags have to be looked at. */
export function knownCondition(known: KnownFlags, cc: number): Value | undefined {
  if (known.kind !== 'sub') {
    if (known.kind !== 'logic' && ![4, 5, 8, 9].includes(cc)) return undefined;
    const r = known.width >= 32 ? known.r : known.width === 16 ? w.extend16(known.r) : w.extend8(known.r);
    const zero = w.like(r, 0);
    switch (cc) {
      case 2: // b, o: never
      case 0:
        return w.i32(0);
      case 3:
      case 1:
        return w.i32(1);
      case 4: // e, be
      case 6:
        return w.eqz(r);
      case 5:
      case 7:
        return w.ne(r, zero);
      case 8: // s, l
      case 12:
        return w.ltS(r, zero);
      case 9:
      case 13:
        return w.geS(r, zero);
      case 14:
        return w.leS(r, zero);
      case 15:
        return w.gtS(r, zero);
      default:
        return undefined;
    }
  }
  const { a, b, width } = known;
  const extend = (v: Value): Value => (width >= 32 ? v : width === 16 ? w.extend16(v) : w.extend8(v));
  switch (cc) {
    case 2:
      return w.ltU(a, b);
    case 3:
      return w.geU(a, b);
    case 4:
      return w.eq(a, b);
    case 5:
      return w.ne(a, b);
    case 6:
      return w.leU(a, b);
    case 7:
      return w.gtU(a, b);
    case 12:
      return w.ltS(extend(a), extend(b));
    case 13:
      return w.geS(extend(a), extend(b));
    case 14:
      return w.leS(extend(a), extend(b));
    case 15:
      return w.gtS(extend(a), extend(b));
    default:
      return undefined;
  }
}
