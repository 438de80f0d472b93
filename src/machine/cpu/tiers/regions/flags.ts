import type { FunctionBuilder, Local } from '../../wasm/function.ts';
import type { Code, Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import * as L from '../../layout.ts';
import type { Width } from '../emitter.ts';
import { signExtend } from '../emitter.ts';
import type { KnownFlags } from '../known-flags.ts';

/**
 * The arithmetic flags of a region: four locals that always say what the flags are, by the operation that set them last.
 * Computing RES, AUX and FLG (layout.ts) from them is left to who needs it: an exit, or a block that cannot know the operation.
 *
 *   operation  0: `a` = RES, `b` = AUX, `c` = FLG; else kind << 8 | width:
 *   sub, add   `a` and `b` are the operands, zero-extended
 *   logic      `a` is the result
 *   inc, dec   `a` is the result, `c` the carry that stays
 */
export const FlagKind = { stored: 0, sub: 1, add: 2, logic: 3, inc: 4, dec: 5 } as const;
type Operation = 'sub' | 'add' | 'logic' | 'inc' | 'dec';

/** What is known where code is emitted: nothing, that the locals hold RES, AUX, FLG, or the operation. */
export type FlagState = 'unknown' | 'stored' | { readonly kind: Operation; readonly width: Width };

export const sameState = (x: FlagState, y: FlagState): boolean =>
  typeof x === 'object' && typeof y === 'object' ? x.kind === y.kind && x.width === y.width : x === y;

export class RegionFlags {
  readonly #f: FunctionBuilder;
  readonly operation: Local;
  readonly a: Local;
  readonly b: Local;
  readonly c: Local;

  constructor(f: FunctionBuilder) {
    this.#f = f;
    this.operation = f.local('i32');
    this.a = f.local('i64');
    this.b = f.local('i64');
    this.c = f.local('i32');
  }

  /** On entry: as they are stored. `operation` is 0, as locals are. */
  load(cpu: Value): void {
    this.#f.set(this.a, w.load64(cpu, L.RES));
    this.#f.set(this.b, w.load64(cpu, L.AUX));
    this.#f.set(this.c, w.load32(cpu, L.FLG));
  }

  /** After an operation that is known by its operands; undefined: by its results. Returns the new state. */
  set(result: Value, aux: Value, flg: Value, known: KnownFlags | undefined): FlagState {
    const width = known?.width ?? 64;
    switch (known?.kind) {
      case 'sub':
      case 'add':
        this.#assign([known.a, this.a], [known.b, this.b]);
        break;
      case 'logic':
        this.#assign([narrow(known.r, width), this.a]);
        break;
      case 'inc':
      case 'dec':
        this.#assign([narrow(known.r, width), this.a], [known.cf, this.c]);
        break;
      default:
        this.#assign([result, this.a], [aux, this.b], [flg, this.c]);
        this.#f.set(this.operation, w.i32(0));
        return 'stored';
    }
    this.#f.set(this.operation, w.i32((FlagKind[known.kind] << 8) | width));
    return { kind: known.kind, width };
  }

  /** All values first, then all locals: a value may be made of them. */
  #assign(...pairs: readonly (readonly [Value, Local])[]): void {
    const values: Code = pairs.map(([v, to]) => (to.type === 'i64' ? w.unsigned64(v).code : v.code));
    this.#f.do([values, ...pairs.toReversed().map(([, to]) => [0x21, ...w.uleb(to.index)])]);
  }

  /** The operation in the form that conditions are made from (known-flags.ts). */
  known(state: FlagState): KnownFlags | undefined {
    if (typeof state === 'string') return undefined;
    const { kind, width } = state;
    const typed = (v: Value): Value => (width === 64 ? v : w.wrap(v));
    const a = typed(this.a);
    if (kind === 'sub') return { kind, a, b: typed(this.b), width };
    if (kind === 'add') return { kind, a, b: typed(this.b), r: w.add(a, typed(this.b)), width };
    if (kind === 'logic') return { kind, r: a, width };
    return { kind, r: a, cf: this.c, width };
  }

  res(state: FlagState): Value {
    if (typeof state === 'string') return this.a;
    const { kind, width } = state;
    const r = kind === 'sub' ? w.sub(this.a, this.b) : kind === 'add' ? w.add(this.a, this.b) : this.a;
    return signExtend(width === 64 ? r : w.wrap(r), width);
  }

  aux(state: FlagState): Value {
    if (typeof state === 'string') return this.b;
    const { kind, width } = state;
    if (kind === 'logic') return w.i64(0);
    if (kind === 'sub' || kind === 'add') {
      const r = kind === 'sub' ? w.sub(this.a, this.b) : w.add(this.a, this.b);
      const bits = w.xor(w.xor(this.a, this.b), r);
      return signExtend(width === 64 ? bits : w.wrap(bits), width);
    }
    // As in INC and DEC themselves: the sign is corrected by the carry that was not taken.
    const before = kind === 'inc' ? w.sub(this.a, w.i64(1)) : w.add(this.a, w.i64(1));
    const bits = w.xor(w.xor(before, w.i64(1)), this.a);
    const carry = kind === 'inc' ? w.eqz(this.a) : w.eq(this.a, w.i64(BigInt.asUintN(width, -1n)));
    return w.xor(signExtend(width === 64 ? bits : w.wrap(bits), width), w.shl(w.unsigned64(w.xor(carry, this.c)), w.i64(63)));
  }

  flg(state: FlagState): Value {
    if (typeof state === 'string') return this.c;
    const { kind, width } = state;
    if (kind === 'sub') return w.ltU(this.a, this.b);
    if (kind === 'logic') return w.i32(0);
    if (kind !== 'add') return this.c;
    return width === 64 ? w.ltU(w.add(this.a, this.b), this.a) : w.wrap(w.shrU(w.add(this.a, this.b), w.i64(width)));
  }

  /** Makes the locals hold RES, AUX and FLG. */
  store(state: FlagState): void {
    if (typeof state === 'string') return;
    this.#assign([this.res(state), this.a], [this.aux(state), this.b], [this.flg(state), this.c]);
    this.#f.set(this.operation, w.i32(0));
  }

  /** At the region's exit, which is reached in any state: writes RES, AUX and FLG. */
  write(cpu: Value): void {
    const f = this.#f;
    f.scope(() => {
      f.if(this.operation, () => {
        const kind = f.let(w.shrU(this.operation, w.i32(8)));
        // Operands in the top bits make carries and signs come out alike for all widths.
        const up = f.let(w.unsigned64(w.sub(w.i32(64), w.and(this.operation, w.i32(0xff)))));
        const one = f.let(w.shl(w.i64(1), up));
        const x = f.let(w.shl(this.a, up));
        const y = f.let(w.shl(this.b, up));
        const is = (k: number): Value => w.eq(kind, w.i32(k));
        const result = f.let(w.select(is(FlagKind.sub), w.sub(x, y), w.select(is(FlagKind.add), w.add(x, y), x)));
        const bits = f.let(w.i64(0));
        const fix = f.let(w.i64(0));
        f.if(
          w.ltU(kind, w.i32(FlagKind.logic)),
          () => {
            f.set(bits, w.xor(w.xor(x, y), result));
            f.set(this.c, w.select(is(FlagKind.sub), w.ltU(x, y), w.ltU(result, x)));
          },
          () => {
            f.if(
              is(FlagKind.logic),
              () => f.set(this.c, w.i32(0)),
              () => {
                const before = f.let(w.select(is(FlagKind.inc), w.sub(x, one), w.add(x, one)));
                const carry = w.select(is(FlagKind.inc), w.eqz(x), w.eqz(before));
                f.set(bits, w.xor(w.xor(before, one), x));
                f.set(fix, w.shl(w.unsigned64(w.xor(carry, this.c)), w.i64(63)));
              },
            );
          },
        );
        f.set(this.a, w.shrS(result, up));
        f.set(this.b, w.xor(w.shrS(bits, up), fix));
      });
    });
    f.do(w.store64(cpu, this.a, L.RES));
    f.do(w.store64(cpu, this.b, L.AUX));
    f.do(w.store32(cpu, this.c, L.FLG));
  }
}

/** A result zero-extended to its type. */
function narrow(r: Value, width: Width): Value {
  return width === 8 ? w.and(r, w.i32(0xff)) : width === 16 ? w.and(r, w.i32(0xffff)) : r;
}
