import { RECORD_CLASSES_SIZE } from '../../memory/layout.ts';
import type { Row } from '../isa/row.ts';
import { rows } from '../isa/rows/index.ts';
import { alu } from '../semantics/alu.ts';
import { bitManipulation } from '../semantics/bit-manipulation.ts';
import { bits } from '../semantics/bits.ts';
import { branches } from '../semantics/branch.ts';
import { conditionNames, moves } from '../semantics/move.ts';
import { float } from '../semantics/float/index.ts';
import { muldiv } from '../semantics/muldiv.ts';
import type { Semantics, SemanticsTable } from '../semantics/semantics.ts';
import { shifts } from '../semantics/shift.ts';
import { stack } from '../semantics/stack.ts';
import { strings } from '../semantics/string.ts';
import { vectors } from '../semantics/vector/index.ts';
import { x87 } from '../semantics/x87/index.ts';
import type { Emitter, Form, Width } from './emitter.ts';
import { RecordClass } from './record.ts';
import { Special, specials } from './specials.ts';

/** Every operation that is emitted code, by row name; a VEX row whose name has none means what the name without its `v` does. */
const semantics: SemanticsTable = {
  ...alu,
  ...shifts,
  ...muldiv,
  ...bits,
  ...bitManipulation,
  ...moves,
  ...stack,
  ...branches,
  ...strings,
  ...vectors,
  ...float,
  ...x87,
};

/** A handler of tier 0: a semantics applied to one width, address form and mode. Its number is its place in the list. */
export interface Handler {
  readonly key: string;
  readonly class: number;
  /** A string instruction: its record runs once for every iteration. */
  readonly string?: boolean;
  readonly emit: Semantics;
  /** Of a fused pair: the handler of the first instruction alone. */
  readonly first?: Handler;
  configure(m: Emitter): void;
}

const widths: readonly Width[] = [8, 16, 32, 64];
const forms: readonly Form[] = ['r', 'mb', 'mx'];

/** What a handler can depend on beyond width and form: bit 0 legacy, bit 1 near, bits 2-3 repeat or address size. */
export function handlerIndex(width: number, form: number, extra: number): number {
  return width | (form << 2) | (extra << 4);
}
export const widthIndex = (bits: number): number => (bits === 8 ? 0 : bits === 16 ? 1 : bits === 32 ? 2 : 3);

/** The width of a row's handler at an operand size. A vector instruction's matters only where a general register takes part. */
export function operandBits(row: Row, opsize: 8 | 16 | 32 | 64): 8 | 16 | 32 | 64 {
  const { vector, general, x87, cmpxchg8b } = row.traits;
  if ((vector && !general) || x87) return 32;
  return vector || cmpxchg8b ? (opsize === 64 ? 64 : 32) : opsize;
}

const semanticsOf = (row: Row): Semantics => {
  const emit = semantics[row.name] ?? (row.vex ? semantics[row.name.slice(1)] : undefined);
  if (!emit) throw new Error(`row "${row.encoding}": no semantics named ${row.name}`);
  return emit;
};

/** x87 instructions have operands of fixed sizes: the operand size means nothing. */
export const isX87 = (row: Row): boolean => row.traits.x87;

const hasMemoryForm = (row: Row): boolean => row.operands.some((o) => /^[EMOQW]/.test(o)) && row.form !== 'register';

/** All variants of one row. */
function* variants(row: Row): Generator<{ width: number; form: number; extra: number; configure(m: Emitter): void }> {
  const { vector, general, absolute, linkable, countsInRcx } = row.traits;
  const widthList = row.byte
    ? [0]
    : (vector && !general) || isX87(row)
      ? [2]
      : vector || row.vex || row.atLeast32 || row.name === 'cmpxchg8b'
        ? [2, 3]
        : [1, 2, 3];
  const formList = hasMemoryForm(row) ? (row.form === 'memory' || absolute ? [1, 2] : row.hot ? [0, 1, 2] : [0, 2]) : [0];
  const extras = row.string
    ? [0, 4, 8]
    : row.branch || row.stack || isX87(row)
      ? [0, 1, ...(linkable ? [2, 3] : [])].flatMap((e) => (countsInRcx ? [e, e | 4, e | 8] : [e]))
      : [0];
  for (const width of widthList)
    for (const form of formList)
      for (const extra of extras) {
        const legacy = (extra & 1) !== 0;
        if (legacy && width === 3) continue;
        // 16-bit operand sizes cut RIP.
        if ((extra & 3) === 3 && width !== 2) continue;
        if (!legacy && row.force64 && row.branch && width !== 3) continue;
        if (!legacy && row.default64 && width === 2) continue;
        yield {
          width, form, extra,
          configure(m) {
            m.width = widths[width]!;
            m.form = forms[form]!;
            m.operands = row.operands;
            m.vectorBytes = row.vectorBytes;
            m.vex = row.vex !== undefined;
            m.legacy = legacy;
            m.variant = extra & 2 ? 'near' : 'far';
            m.repeat = row.string ? ([0, 0xf3, 0xf2] as const)[extra >> 2]! : 0;
            m.address = ([64, 32, 16] as const)[extra >> 2]!;
            m.endsBlock = row.branch || row.string;
          },
        }; // prettier-ignore
      }
}

/** Numbers of unit handlers begin here: those of the interpreter stay below. */
export const UNIT_FIRST = 0x4000;

/** Handlers that are functions of a unit, from UNIT_FIRST on, and which unit each belongs to. */
const unitList: { readonly unit: string; readonly handler: Handler }[] = [];

function build(): Handler[] {
  const list: Handler[] = [...specials];
  const byKey = new Map<string, number>();
  for (const row of rows) {
    if (row.helper) continue;
    const emit = semanticsOf(row);
    // Rows that differ only in encoding share their handlers.
    const inMemory = row.operands.map((o) => o.replace(/^[GZ]/, 'R').replace(/^I[bz]s?$/, 'I')).join(',');
    const inRegisters = inMemory.replace(/(^|,)E/g, '$1R');
    const vector = row.unit === '' ? '' : `.${row.unit}.${row.vectorBytes}.${row.vex !== undefined}`;
    for (const v of variants(row)) {
      const key = `${row.name}.${v.width}.${forms[v.form]}.${v.extra}.${v.form === 0 ? inRegisters : inMemory}.${row.branch}${vector}`;
      let number = byKey.get(key);
      if (number === undefined) {
        const handler = {
          key,
          emit,
          configure: v.configure,
          class: row.branch || row.string ? RecordClass.end : RecordClass.instruction,
          string: row.string,
        };
        number = row.unit === '' ? list.push(handler) - 1 : UNIT_FIRST + unitList.push({ unit: row.unit, handler }) - 1;
        byKey.set(key, number);
      }
      row.handlers[handlerIndex(v.width, v.form, v.extra)] = number;
    }
    // A row without a handler of its own for base + displacement uses the general memory form.
    for (let i = 0; i < 256; i++) if ((i & 12) === 4 && row.handlers[i] === 0) row.handlers[i] = row.handlers[i ^ 12]!;
  }
  return list;
}

/** Instructions that a conditional branch often follows, by handler key: name.width.form.variant.operands. */
const fusible = [/^cmp\.[023]\.(r|mb|mx)\.0\./, /^test\.[023]\.(r|mb)\.0\./, /^(add|sub|and|dec)\.[23]\.r\.0\.R/];
/** Conditions that are one comparison: b ae e ne be a s ns l ge le g. */
const fusedConditions = [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15];

/** Number of the handler that does both, by `first * 16 + condition`; 0: none. Special records and units' handlers are never first. */
const fused = new Uint16Array(UNIT_FIRST * 16);

/**
 * A comparison and the branch within its page that follows, in one dispatch: the two records stay as they are, only the
 * first one's handler number changes. The flags are known to the branch, which then is one compare.
 */
function addFusedPairs(list: Handler[]): void {
  const branches = fusedConditions.map((cc) => [cc, list.find((h) => h.key.startsWith(`j${conditionNames[cc]}.3.r.2.`))!] as const);
  for (const [first, h] of [...list.entries()]) {
    if (!fusible.some((pattern) => pattern.test(h.key))) continue;
    for (const [cc, branch] of branches) {
      const emit: Semantics = (m) => {
        h.emit(m);
        m.nextRecord();
        branch.configure(m);
        branch.emit(m);
      };
      fused[first * 16 + cc] =
        list.push({ key: `${h.key}+${branch.key}`, class: RecordClass.instruction, configure: h.configure, emit, first: h }) - 1;
    }
  }
}

/** The handler for the pair of a record's handler and a near branch on a condition; 0: there is none. */
export const fusedHandler = (first: number, condition: number): number => (first < UNIT_FIRST ? fused[first * 16 + condition]! : 0);

function buildAll(): Handler[] {
  const list = build();
  addFusedPairs(list);
  return list;
}

/** The interpreter's handlers, by number. */
export const handlers: readonly Handler[] = buildAll();
if (handlers.length > UNIT_FIRST) throw new Error('handlers: too many for the numbers below UNIT_FIRST');

/** The handler with a number, the interpreter's or a unit's. */
export const handlerOf = (op: number): Handler => (op < UNIT_FIRST ? handlers[op]! : unitList[op - UNIT_FIRST]!.handler);

/** A unit's handlers with their numbers from UNIT_FIRST on. */
export const unitHandlers = (unit: string): readonly { readonly index: number; readonly handler: Handler }[] =>
  unitList.flatMap((u, index) => (u.unit === unit ? [{ index, handler: u.handler }] : []));
export const unitHandlerCount = unitList.length;

/** Record classes by handler number. A unit's handlers are instructions inside a block. */
export const handlerClass: Uint8Array = new Uint8Array(UNIT_FIRST + unitList.length).fill(RecordClass.instruction);
handlerClass.set(handlers.map((h) => h.class));

/** As RECORD_CLASSES has them for emitted code. A #UD's record (`fault`) and those of addresses are special, but read no flags. */
const readsResumeFlag = (h: Handler, number: number): boolean =>
  h.string === true || (number < specials.length && h.class !== RecordClass.micro && number !== Special.fault) || number === Special.mark;
export const recordClasses: Uint8Array = handlerClass.map((c, n) => {
  const reads = n < handlers.length ? readsResumeFlag(handlers[n]!, n) : false;
  return reads ? c : c | RecordClass.ignoresResumeFlag;
});
if (recordClasses.length > RECORD_CLASSES_SIZE) throw new Error('handlers: more classes than linear memory has room for');
