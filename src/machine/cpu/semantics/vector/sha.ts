import type { Emitter } from '../../tiers/emitter.ts';
import type { Local } from '../../wasm/function.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { SemanticsTable } from '../semantics.ts';
import { immediate, lanewise, xmm } from './operands.ts';
import { i32x4, shuffleLanes, v128, zero } from './simd.ts';

/** SHA extensions: SDM Vol. 2; FIPS 180-4. Vectors hold their words with word 0 in the highest lane for SHA-1, and pairs for SHA-256. */

const rotl = (a: Value, n: number): Value => w.rotl(a, w.i32(n));
const rotr = (a: Value, n: number): Value => w.rotr(a, w.i32(n));
const xor3 = (a: Value, b: Value, c: Value): Value => w.xor(w.xor(a, b), c);
const lane = (m: Emitter, v: Value, n: number): Local => m.let(i32x4.extract(v, n));
const vector = (lanes: readonly Value[]): Value => lanes.reduce((v, x, n) => i32x4.replace(v, n, x), zero);

const choose = (x: Value, y: Value, z: Value): Value => w.xor(w.and(w.xor(y, z), x), z);
const majority = (x: Value, y: Value, z: Value): Value => w.or(w.and(x, y), w.and(z, w.or(x, y)));

/** FIPS 180-4, 4.1.1 and 4.2.1: by the immediate's two bits. */
const SHA1_CONSTANTS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

function sha1Rounds(m: Emitter, state: Value, words: Value): Value {
  const which = m.let(w.and(immediate(m), w.i32(3)));
  const [a0, b0, c0, d0] = [3, 2, 1, 0].map((n) => lane(m, state, n)) as [Local, Local, Local, Local];
  let [a, b, c, d, e]: Value[] = [a0, b0, c0, d0, w.i32(0)] as [Value, Value, Value, Value, Value];
  const is = (n: number): Value => w.eq(which, w.i32(n));
  const constant = m.let(
    w.select(
      is(0),
      w.i32(SHA1_CONSTANTS[0]),
      w.select(is(1), w.i32(SHA1_CONSTANTS[1]), w.select(is(2), w.i32(SHA1_CONSTANTS[2]), w.i32(SHA1_CONSTANTS[3]))),
    ),
  );
  for (let n = 3; n >= 0; n--) {
    const f = w.select(is(0), choose(b!, c!, d!), w.select(is(2), majority(b!, c!, d!), xor3(b!, c!, d!)));
    // E is part of the words from the first round on: SHA1NEXTE added it.
    const next = m.let(w.add(w.add(f, rotl(a!, 5)), w.add(w.add(i32x4.extract(words, n), e!), constant)));
    [a, b, c, d, e] = [next, a!, m.let(rotl(b!, 30)), c!, d!];
  }
  return vector([d!, c!, b!, a!]);
}

/** Two rounds; the state's words are A B E F and C D G H, from the highest lane down. */
function sha256Rounds(m: Emitter, cdgh: Value, abef: Value): Value {
  let [a, b, e, f] = [3, 2, 1, 0].map((n) => lane(m, abef, n) as Value);
  let [c, d, g, h] = [3, 2, 1, 0].map((n) => lane(m, cdgh, n) as Value);
  const words = m.let(xmm(m, 0).v128());
  for (let n = 0; n < 2; n++) {
    const one = xor3(rotr(e!, 6), rotr(e!, 11), rotr(e!, 25));
    const t = m.let(w.add(w.add(choose(e!, f!, g!), one), w.add(i32x4.extract(words, n), h!)));
    const zeroth = xor3(rotr(a!, 2), rotr(a!, 13), rotr(a!, 22));
    const next = m.let(w.add(t, w.add(majority(a!, b!, c!), zeroth)));
    [a, b, c, d, e, f, g, h] = [next, a, b, c, m.let(w.add(t, d!)), e, f, g];
  }
  return vector([f!, e!, b!, a!]);
}

/** Every lane rotated and shifted: FIPS 180-4, 4.1.2. */
function sigma(v: Value, first: number, second: number, shift: number): Value {
  const rotate = (n: number): Value => v128.or(i32x4.shrU(v, w.i32(n)), i32x4.shl(v, w.i32(32 - n)));
  return v128.xor(v128.xor(rotate(first), rotate(second)), i32x4.shrU(v, w.i32(shift)));
}

export const sha: SemanticsTable = {
  sha1rnds4: lanewise(sha1Rounds),
  sha1nexte: lanewise((m, a, b) => i32x4.add(b, i32x4.replace(zero, 3, rotl(lane(m, a, 3), 30)))),
  sha1msg1: lanewise((_m, a, b) => v128.xor(a, shuffleLanes(b, a, 4, [2, 3, 4, 5]))),
  // The last word depends on the first.
  sha1msg2: lanewise((m, a, b) => {
    const w16 = m.let(rotl(w.xor(i32x4.extract(a, 3), i32x4.extract(b, 2)), 1));
    const w17 = m.let(rotl(w.xor(i32x4.extract(a, 2), i32x4.extract(b, 1)), 1));
    const w18 = m.let(rotl(w.xor(i32x4.extract(a, 1), i32x4.extract(b, 0)), 1));
    return vector([rotl(w.xor(i32x4.extract(a, 0), w16), 1), w18, w17, w16]);
  }),
  sha256rnds2: lanewise(sha256Rounds),
  sha256msg1: lanewise((m, a, b) => i32x4.add(a, sigma(m.let(shuffleLanes(a, b, 4, [1, 2, 3, 4])), 7, 18, 3))),
  sha256msg2: lanewise((m, a, b) => {
    const scalar = (x: Value): Value => xor3(rotr(x, 17), rotr(x, 19), w.shrU(x, w.i32(10)));
    const w16 = m.let(w.add(i32x4.extract(a, 0), scalar(lane(m, b, 2))));
    const w17 = m.let(w.add(i32x4.extract(a, 1), scalar(lane(m, b, 3))));
    const w18 = m.let(w.add(i32x4.extract(a, 2), scalar(w16)));
    const w19 = m.let(w.add(i32x4.extract(a, 3), scalar(w17)));
    return vector([w16, w17, w18, w19]);
  }),
};
