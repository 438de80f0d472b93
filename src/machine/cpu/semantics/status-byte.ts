import type { Emitter } from '../tiers/emitter.ts';
import type { FlagValues } from '../tiers/flag-values.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';

/** SF ZF AF PF CF in their places (bit 1 clear). */
export function statusByte(m: FlagValues): Value {
  const at = (v: Value, n: number): Value => w.shl(v, w.i32(n));
  return w.or(w.or(w.or(m.cf(), at(m.pf(), 2)), w.or(at(m.af(), 4), at(m.zf(), 6))), at(m.sf(), 7));
}

/** Stores SF ZF AF PF CF from their places in the symbolic form; OF stays. */
export function storeStatusByte(m: FlagValues, flags: Value): void {
  storeArithmeticFlags(m, flags, m.let(m.of()));
}

/** Stores SF ZF AF PF CF from their places in the symbolic form, and OF. */
export function storeArithmeticFlags(m: FlagValues, flags: Value, of: Value): void {
  const bit = (n: number): Value => w.and(w.shrU(flags, w.i32(n)), w.i32(1));
  const zf = m.let(bit(6));
  const cf = m.let(bit(0));
  // RES is 0 (even parity) or 1 (odd parity); the parity byte and the sign inversion do the rest.
  const flip = w.xor(bit(2), zf);
  const flg = w.or(w.or(cf, w.shl(bit(7), w.i32(1))), w.shl(flip, w.i32(8)));
  const aux = w.or(w.shl(w.unsigned64(w.xor(of, cf)), w.i64(63)), w.unsigned64(w.and(flags, w.i32(0x10))));
  m.setFlags(w.unsigned64(w.eqz(zf)), aux, flg);
}

export function lahf(m: Emitter): void {
  m.register(1, 8).set(w.or(statusByte(m), w.i32(2)));
}

export function sahf(m: Emitter): void {
  storeStatusByte(m, m.let(m.register(1, 8).get()));
}
