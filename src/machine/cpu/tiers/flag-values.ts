import type { FunctionBuilder, Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import * as L from '../layout.ts';

/** The arithmetic flags in their symbolic form (layout.ts: RES, AUX, FLG), for code whose first parameter is the CPU block. */
export class FlagValues {
  readonly f: FunctionBuilder;
  readonly c: Local;

  constructor(f: FunctionBuilder) {
    this.f = f;
    this.c = f.param(0);
  }

  let(v: Value): Local {
    return this.f.let(v);
  }

  setFlags(result: Value, aux: Value, flg: Value): void {
    this.f.do(w.store64(this.c, result, L.RES));
    this.f.do(w.store64(this.c, aux, L.AUX));
    this.f.do(w.store32(this.c, flg, L.FLG));
  }

  get res(): Value {
    return w.load64(this.c, L.RES);
  }
  get aux(): Value {
    return w.load64(this.c, L.AUX);
  }
  get flg(): Value {
    return w.load32(this.c, L.FLG);
  }
  cf(): Value {
    return w.and(this.flg, w.i32(1));
  }
  of(): Value {
    return w.xor(this.cf(), w.wrap(w.shrU(this.aux, w.i64(63))));
  }
  sf(): Value {
    return w.xor(w.wrap(w.shrU(this.res, w.i64(63))), w.and(w.shrU(this.flg, w.i32(1)), w.i32(1)));
  }
  zf(): Value {
    return w.eqz(this.res);
  }
  pf(): Value {
    const low = w.and(w.xor(w.wrap(this.res), w.shrU(this.flg, w.i32(8))), w.i32(0xff));
    return w.eqz(w.and(w.popcnt(low), w.i32(1)));
  }
  af(): Value {
    return w.wrap(w.and(w.shrU(this.aux, w.i64(4)), w.i64(1)));
  }
}
