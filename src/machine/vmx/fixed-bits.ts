import type { CpuModel } from '../cpu/models/model.ts';

/**
 * Bits of CR0 and CR4 that VMX operation fixes: SDM Vol. 3, 24.8 and A.7-A.8. FIXED0: must be 1. FIXED1: may be 1.
 */
export const CR0_FIXED0 = 0x8000_0021n;
export const CR4_FIXED0 = 0x2000n;
const CR0_FIXED1 = 0xffff_ffffn;
/** With "unrestricted guest", PE and PG are the guest's own. */
const CR0_PE_PG = 0x8000_0001n;

/** CR4 bits by the CPUID feature that brings them; the others come with every model. */
const CR4_BASE = 0x3ffn | (1n << 10n) | 0x2000n;
const CR4_BY_FEATURE: readonly (readonly [feature: string, bit: bigint])[] = [
  ['umip', 1n << 11n],
  ['smx', 1n << 14n],
  ['fsgsbase', 1n << 16n],
  ['pcid', 1n << 17n],
  ['xsave', 1n << 18n],
  ['smep', 1n << 20n],
  ['smap', 1n << 21n],
  ['pku', 1n << 22n],
];

const fixed1 = new WeakMap<CpuModel, bigint>();

export function cr4Fixed1(model: CpuModel): bigint {
  let v = fixed1.get(model);
  if (v === undefined) {
    v = CR4_BASE;
    for (const [feature, bit] of CR4_BY_FEATURE) if (model.features.has(feature)) v |= bit;
    fixed1.set(model, v);
  }
  return v;
}

/** Bits of CR0 that VMX operation does not allow, or 0. */
export function cr0Violation(cr0: bigint, unrestricted: boolean): bigint {
  const must = unrestricted ? CR0_FIXED0 & ~CR0_PE_PG : CR0_FIXED0;
  return (must & ~cr0) | (cr0 & ~CR0_FIXED1);
}

/** Bits of CR4 that VMX operation does not allow, or 0. */
export function cr4Violation(model: CpuModel, cr4: bigint): bigint {
  return (CR4_FIXED0 & ~cr4) | (cr4 & ~cr4Fixed1(model));
}
