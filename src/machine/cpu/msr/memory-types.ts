/** MTRRs and PAT: SDM Vol. 3, 12.11 and 12.12. Kept and checked; memory types change nothing in this machine. */
import { MsrSlot, constant, stored, type Legal, type Msr } from './row.ts';

const SECTION = 'SDM Vol. 3, 12.11.2';
export const VARIABLE_RANGES = 8;
/** UC, WC, WT, WP, WB; PAT also UC-. */
const TYPES = new Set([0, 1, 4, 5, 6]);
const PAT_TYPES = new Set([...TYPES, 7]);

const bytesIn =
  (types: ReadonlySet<number>): Legal =>
  (value) => {
    for (let n = 0n; n < 64n; n += 8n) if (!types.has(Number((value >> n) & 0xffn))) return false;
    return true;
  };

/** Bits 11 (enable), 10 (fixed ranges enable) and a type. */
const defType: Legal = (value) => (value & ~0xcffn) === 0n && TYPES.has(Number(value & 0xffn));
const physBase: Legal = (value, cpu) => value >> BigInt(cpu.model.physicalBits) === 0n && (value & 0xf00n) === 0n && TYPES.has(Number(value & 0xffn));
const physMask: Legal = (value, cpu) => value >> BigInt(cpu.model.physicalBits) === 0n && (value & 0x7ffn) === 0n;

const FIXED: readonly (readonly [index: number, name: string])[] = [
  [0x250, 'IA32_MTRR_FIX64K_00000'],
  [0x258, 'IA32_MTRR_FIX16K_80000'],
  [0x259, 'IA32_MTRR_FIX16K_A0000'],
  ...['C0000', 'C8000', 'D0000', 'D8000', 'E0000', 'E8000', 'F0000', 'F8000'].map((base, n) => [0x268 + n, `IA32_MTRR_FIX4K_${base}`] as const),
];

export const memoryTypeMsrs: readonly Msr[] = [
  // Eight variable ranges, fixed ranges, write combining; no SMRR.
  constant(0xfe, 'IA32_MTRRCAP', 'SDM Vol. 3, 12.11.1', () => BigInt(VARIABLE_RANGES | 0x500), { needs: 'mtrr' }),
  ...Array.from({ length: VARIABLE_RANGES }, (_, n) => [
    stored(0x200 + n * 2, `IA32_MTRR_PHYSBASE${n}`, SECTION, MsrSlot.mtrrVariable + n * 2, physBase, { needs: 'mtrr' }),
    stored(0x201 + n * 2, `IA32_MTRR_PHYSMASK${n}`, SECTION, MsrSlot.mtrrVariable + n * 2 + 1, physMask, { needs: 'mtrr' }),
  ]).flat(),
  ...FIXED.map(([index, name], n) => stored(index, name, SECTION, MsrSlot.mtrrFixed + n, bytesIn(TYPES), { needs: 'mtrr' })),
  stored(0x2ff, 'IA32_MTRR_DEF_TYPE', SECTION, MsrSlot.mtrrDefType, defType, { needs: 'mtrr' }),
  stored(0x277, 'IA32_PAT', 'SDM Vol. 3, 12.12', MsrSlot.pat, bytesIn(PAT_TYPES), { needs: 'pat', reset: () => 0x0007_0406_0007_0406n }),
];
