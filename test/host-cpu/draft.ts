import type { Mode, Setup } from './case.ts';
import { DATA, READ_ONLY, segmentBase, setups } from './case.ts';
import type { Random } from './random.ts';

export const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

export type SegmentName = 'es' | 'cs' | 'ss' | 'ds' | 'gs';
const prefixes: Readonly<Record<SegmentName, number>> = { es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e, gs: 0x65 };

/** Where memory operands lie: in the data pages, or at the edges of what is mapped and allowed. */
export type Where = 'data' | 'edge';

/** A case in the making: registers, and the prefixes that are decided before the rest. */
export interface Draft {
  readonly mode: Mode;
  readonly setup: Setup;
  readonly random: Random;
  readonly where: Where;
  readonly gpr: bigint[];
  readonly xmm: bigint[];
  /** General registers whose values the case depends on: the others may hold anything. */
  readonly pinned: Set<number>;
  /** Bytes of the memory operand, and its linear address once it is decided. */
  operandBytes: number;
  target: number | undefined;
  /** Effective address size. */
  address: 16 | 32 | 64;
  override: SegmentName | undefined;
}

export const randomRegisters = (mode: Mode, random: Random): bigint[] =>
  Array.from({ length: 16 }, () => (mode === '64' ? random.value() : BigInt.asUintN(32, random.value())));

export function newDraft(mode: Mode, random: Random, where: Where): Draft {
  const setup = setups[mode];
  const d: Draft = {
    mode, setup, random, where,
    gpr: randomRegisters(mode, random),
    xmm: Array.from({ length: 32 }, () => random.u64()),
    pinned: new Set(),
    operandBytes: 8,
    target: undefined,
    address: setup.bits,
    override: undefined,
  }; // prettier-ignore
  const aligned = 8 * (random.below(64) - 32);
  const odd = random.chance(8) ? 4 - random.below(8) : 0;
  const edge = random.pick([DATA, READ_ONLY, READ_ONLY + 0x1000, READ_ONLY + 0x2000]) + random.below(24) - 8;
  setStackPointer(d, where === 'edge' && random.chance(2) ? edge : DATA + 0x1000 + (odd || aligned));
  return d;
}

/** A register's low bits, with the rest left as it is. */
export function setLow(d: Draft, register: number, bits: number, value: number | bigint): void {
  const low = BigInt.asUintN(bits, BigInt(value));
  // A 32-bit address register's upper half is left clear in 64-bit mode: REP's effect on it differs between processors.
  const keep = bits === 16 || d.mode !== '64' ? (d.gpr[register]! >> BigInt(bits)) << BigInt(bits) : 0n;
  pin(d, register, bits >= 32 && d.mode !== '64' ? low : keep | low);
}

export function pin(d: Draft, register: number, value: bigint): void {
  d.gpr[register] = value;
  d.pinned.add(register);
}

export const stackBits = (d: Draft): 16 | 32 | 64 => (d.mode === '64' ? 64 : d.mode === '16' || d.mode === '32 small stack' ? 16 : 32);

export function setStackPointer(d: Draft, linear: number): void {
  setLow(d, RSP, stackBits(d), linear - segmentBase(d.mode, 'ss'));
}

/** Decides on an address size and a segment override, and gives their prefixes. */
export function addressPrefixes(d: Draft, string: boolean): number[] {
  const { random, mode } = d;
  const out: number[] = [];
  if (mode === '64') {
    if (random.chance(16)) d.override = random.pick(['gs', 'es', 'ss', 'ds', 'cs']);
    if (random.chance(16) && d.override !== 'gs') d.address = 32;
  } else {
    if (random.chance(6))
      d.override = random.pick([
        'gs',
        'es',
        'ds',
        ...(string && d.where === 'edge' ? [] : (['ss'] as const)),
        ...(d.where === 'edge' && mode === '32' ? (['cs'] as const) : []),
      ]);
    if (random.chance(mode === '32' ? 8 : 3) && !(mode === '32' && string)) d.address = d.setup.bits === 32 ? 16 : 32;
    // 16-bit offsets reach the data pages only through a based segment, of which flat code has one.
    if (mode === '32' && d.address === 16) d.override = 'gs';
  }
  if (d.address !== d.setup.bits) out.push(0x67);
  if (d.override) out.push(prefixes[d.override]);
  return out;
}

/** The segment that counts: in 64-bit mode only GS does. */
export function effectiveSegment(d: Draft, byDefault: 'ds' | 'ss'): SegmentName {
  return d.override ?? byDefault;
}

/** Offset of a linear address in a segment. */
export function offsetIn(d: Draft, segment: SegmentName, linear: number): number {
  return linear - (segment === 'cs' ? d.setup.codeBase : segmentBase(d.mode, segment));
}

/** A linear address for a memory operand: often across a page boundary, or a cache line's. */
export function pickTarget(d: Draft): number {
  const { random } = d;
  const size = Math.max(d.operandBytes, 8);
  const near = random.below(size * 2 + 48) - size - 32;
  if (d.mode === '64' && d.override === 'gs') return segmentBase('64', 'gs') + 0x800 + random.below(0x600) - 0x300;
  if (d.where === 'edge')
    return (
      random.pick([DATA, READ_ONLY, READ_ONLY, READ_ONLY + 0x1000, READ_ONLY + 0x2000]) +
      (random.chance(4) ? near : random.below(size * 2 + 4) - size * 2)
    );
  return DATA + 0x1000 + (random.chance(3) ? near : random.below(0xf00) - 0x700);
}
