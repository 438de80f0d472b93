import { CR4 } from '../cpu.ts';
import * as L from '../layout.ts';
import { MsrSlot, msrSlotOffset } from '../msr/row.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

const baseOf = (segment: number): number => L.SEGMENTS + segment * L.SEGMENT_SIZE + L.SEG_BASE;
const KERNEL_GS_BASE = msrSlotOffset(MsrSlot.kernelGsBase);

/** SDM Vol. 2, SWAPGS. */
export function swapgs(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  const old = q.let(q.u64(baseOf(L.GS)));
  q.setU64(baseOf(L.GS), q.u64(KERNEL_GS_BASE));
  q.setU64(KERNEL_GS_BASE, old);
  q.advance();
}

/** Gives up unless a base is canonical in 48 bits: what more a processor with 57 takes is left to TypeScript. */
const requireBase = (q: Quick, base: Local): void => q.giveUpIf(w.ne(w.shrS(w.shl(base, w.i64(16)), w.i64(16)), base));

const requireFsGsBase = (q: Quick): void => q.giveUpIf(w.eqz(w.and(q.u32(L.CR4), w.i32(CR4.FSGSBASE))));

/** RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE: SDM Vol. 2. */
export const readBase =
  (segment: number, bits: 32 | 64) =>
  (q: Quick): void => {
    requireFsGsBase(q);
    q.f.do(w.store64(q.rm(), (bits === 64 ? w.load64 : w.load32u64)(q.c, baseOf(segment))));
    q.advance();
  };

export const writeBase =
  (segment: number, bits: 32 | 64) =>
  (q: Quick): void => {
    requireFsGsBase(q);
    const base = q.let((bits === 64 ? w.load64 : w.load32u64)(q.rm()));
    requireBase(q, base);
    q.setU64(baseOf(segment), base);
    q.advance();
  };

/** The MSRs that hold segment bases, by index: SDM Vol. 3, 3.4.4. All others are for TypeScript. */
const BASE_MSRS = [
  [0xc000_0100, baseOf(L.FS)],
  [0xc000_0101, baseOf(L.GS)],
  [0xc000_0102, KERNEL_GS_BASE],
] as const;

/** Offset of the register that ECX selects. */
function selected(q: Quick): Local {
  q.giveUpIf(q.u32(L.CPL));
  q.giveUpInGuest();
  const index = q.let(q.u32(L.GPR + 8));
  const slot = BASE_MSRS.reduce<Value>((rest, [msr, at]) => w.select(w.eq(index, w.i32(msr)), w.i32(at), rest), w.i32(0));
  const offset = q.let(slot);
  q.giveUpIf(w.eqz(offset));
  return q.let(w.add(q.c, offset));
}

/** SDM Vol. 2, RDMSR. */
export function rdmsr(q: Quick): void {
  const at = selected(q);
  q.setU64(L.GPR, w.load32u64(at));
  q.setU64(L.GPR + 2 * 8, w.load32u64(at, 4));
  q.advance();
}

/** SDM Vol. 2, WRMSR. */
export function wrmsr(q: Quick): void {
  const at = selected(q);
  const base = q.let(w.or(w.shl(q.u64(L.GPR + 2 * 8), w.i64(32)), w.load32u64(q.c, L.GPR)));
  requireBase(q, base);
  q.f.do(w.store64(at, base));
  q.advance();
}

/** MOV from a segment register to a general one, zero-extended: SDM Vol. 2, MOV. */
export const movFromSegment =
  (bits: 16 | 32 | 64) =>
  (q: Quick): void => {
    const n = q.let(w.and(q.regNumber(), w.i32(7)));
    q.giveUpIf(w.gtU(n, w.i32(L.GS)));
    const selector = w.load16u(w.add(q.c, w.mul(n, w.i32(L.SEGMENT_SIZE))), L.SEGMENTS + L.SEG_SELECTOR);
    q.f.do(bits === 16 ? w.store16(q.rm(), selector) : w.store64(q.rm(), w.unsigned64(selector)));
    q.advance();
  };
