import { compare as compareReals } from '../../float/compare.ts';
import type { Relation } from '../../float/compare.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { Semantics, SemanticsTable } from '../semantics.ts';
import { firstSource, lastSource, requireVectors, vectorOperand } from '../vector/operands.ts';
import { i32x4 } from '../vector/simd.ts';
import { noDenormal, ordinary } from './domain.ts';
import type { Shape } from './elements.ts';
import { elementCount, family, numbered, shapes, write } from './elements.ts';
import { exactOperation } from './exact.ts';
import type { Elementwise } from './instruction.ts';
import { addressOf, compute, load, settle } from './instruction.ts';
import { allTrue, notAll, all, and, or } from './lanes.ts';

/**
 * The 16 predicates of CMPPS as what they say of each relation: bit 0 less, 1 equal, 2 greater, 3 unordered; SDM Vol. 2, table 3-1. With bit 4 of
 * the predicate only the response to quiet NaNs changes.
 */
const LESS = 1;
const EQUAL = 2;
const GREATER = 4;
const UNORDERED = 8;
const predicates = [
  EQUAL, LESS, LESS | EQUAL, UNORDERED, LESS | GREATER | UNORDERED, EQUAL | GREATER | UNORDERED, GREATER | UNORDERED, LESS | EQUAL | GREATER,
  EQUAL | UNORDERED, LESS | UNORDERED, LESS | EQUAL | UNORDERED, 0, LESS | GREATER, EQUAL | GREATER, GREATER, LESS | EQUAL | GREATER | UNORDERED,
]; // prettier-ignore
/** Those below 16 to which a quiet NaN is an invalid operand; from 16 on it is the others. */
const signaling = [1, 2, 5, 6, 9, 10, 13, 14];

const relationBit: Readonly<Record<Relation, number>> = { less: LESS, equal: EQUAL, greater: GREATER, unordered: UNORDERED };
const isQuiet = (predicate: number): boolean => signaling.includes(predicate & 15) !== predicate < 16;
const table = predicates.reduce((bits, p, n) => bits | (BigInt(p) << BigInt(n * 4)), 0n);

/** CMPPS and its like: a mask for each element. Without VEX there are 8 predicates. */
function compareElements(s: Shape): Semantics {
  const { format, lanes: f, packed } = s;
  const number = numbered((count) => (call) => {
    const ones = (1n << BigInt(f.bytes * 8)) - 1n;
    for (let n = 0; n < count; n++) {
      const relation = compareReals(call.env, call.real(format, call.a, n), call.real(format, call.b, n), isQuiet(call.x));
      call.setBits(format, n, (predicates[call.x & 15]! & relationBit[relation]) !== 0 ? ones : 0n);
    }
  });
  return (m) => {
    requireVectors(m);
    const b = lastSource(m);
    const a = firstSource(m);
    const d = m.vex ? vectorOperand(m, 0, 'write') : a;
    const known = m.knownImmByte;
    const predicate = m.let(w.and(m.immByte(), w.i32(m.vex ? 31 : 7)));
    const says = m.let(w.wrap(w.shrU(w.i64(table), w.unsigned64(w.shl(w.and(predicate, w.i32(15)), w.i32(2))))));
    /** All ones where the predicate holds for a relation. */
    const holds = (bit: number): Value => i32x4.splat(w.sub(w.i32(0), w.and(w.shrU(says, w.i32(Math.log2(bit))), w.i32(1))));
    const e: Elementwise = {
      lanes: f,
      packed,
      fast: (_m, x, y) => {
        const less = m.let(f.lt(x!, y!));
        const equal = m.let(f.eq(x!, y!));
        const greater = m.let(f.gt(x!, y!));
        const good = all(or(or(less, equal), greater), noDenormal(f, x!), noDenormal(f, y!));
        const likely = and(ordinary(f, x!), ordinary(f, y!));
        const known16 = known === undefined ? undefined : predicates[known & (m.vex ? 15 : 7)]!;
        const masks = [[less, LESS], [equal, EQUAL], [greater, GREATER]] as const; // prettier-ignore
        if (known16 === undefined) return { result: masks.map(([v, bit]) => and(v, holds(bit))).reduce(or), likely, good };
        const taken = masks.filter(([, bit]) => (known16 & bit) !== 0).map(([v]) => v);
        return { result: taken.length === 0 ? f.splat(0n) : taken.reduce<Value>((x, y) => or(x, y), taken[0]!), likely, good };
      },
      exact: (bytes) => number(elementCount(s, bytes)),
    };
    write(m, s, d, compute(m, e, [a, b], predicate), a);
  };
}

/** What the exact core leaves in FLOAT_RESULT for COMISS. */
const flagRelations: Readonly<Record<Relation, bigint>> = { greater: 0n, less: 1n, equal: 2n, unordered: 3n };

/** COMISS, UCOMISS...: ZF PF CF say the relation, OF SF AF become 0: SDM Vol. 2, COMISS. */
function compareFlags(s: Shape, quiet: boolean): Semantics {
  const { format, lanes: f } = s;
  const number = exactOperation((call) => {
    call.setInteger(32, 0, flagRelations[compareReals(call.env, call.real(format, call.a, 0), call.real(format, call.b, 0), quiet)]);
  });
  return (m) => {
    requireVectors(m);
    const pb = lastSource(m);
    const pa = firstSource(m);
    const a = m.let(load(f, false, pa, 0));
    const b = m.let(load(f, false, pb, 0));
    const less = m.let(f.lt(a, b));
    const equal = m.let(f.eq(a, b));
    const good = allTrue(f, all(or(or(less, equal), f.gt(a, b)), noDenormal(f, a), noDenormal(f, b)));
    const unlikely = notAll(f, and(ordinary(f, a), ordinary(f, b)));
    const [relation] = settle(m, { results: [w.or(lane0(less, 1), lane0(equal, 2))], unlikely, good }, number, addressOf(pa), addressOf(pb));
    setRelation(m, relation!);
  };
}

/** A bit if the mask in the lowest lane is set. */
const lane0 = (mask: Value, bit: number): Value => w.and(i32x4.extract(mask, 0), w.i32(bit));

/** Relation 0 greater, 1 less, 2 equal, 3 unordered: CF is its bit 0, ZF its bit 1, PF is both. */
function setRelation(m: Emitter, relation: Value): void {
  const carry = m.let(w.and(relation, w.i32(1)));
  // A result of 1 has odd parity, 0 even: for "equal" the parity is inverted. AUX's sign makes OF 0 where CF is 1.
  const result = w.unsigned64(w.ltU(relation, w.i32(2)));
  const flg = w.or(carry, w.shl(w.eq(relation, w.i32(2)), w.i32(8)));
  m.setFlags(result, w.shl(w.unsigned64(carry), w.i64(63)), flg);
}

const scalar = (suffix: 'ss' | 'sd'): Shape => shapes.find((s) => s.suffix === suffix)!;

export const comparisons: SemanticsTable = {
  ...family('cmp', compareElements),
  comiss: compareFlags(scalar('ss'), false),
  comisd: compareFlags(scalar('sd'), false),
  ucomiss: compareFlags(scalar('ss'), true),
  ucomisd: compareFlags(scalar('sd'), true),
};
