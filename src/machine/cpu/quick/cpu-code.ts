import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { CPU_BLOCK_SIZE, CPU_BLOCKS, TLB_HALF_SIZE, TLB_PER_CPU, TLBS } from '../../memory/layout.ts';
import { CR4 } from '../cpu.ts';
import * as L from '../layout.ts';
import { FlagValues } from '../tiers/flag-values.ts';
import type { Local } from '../wasm/function.ts';

/**
 * A function on the CPU block, its first parameter. It returns 1 when it did everything, 0 when nothing: `giveUpIf` comes
 * before any change.
 */
export class CpuCode extends FlagValues {
  /** Leaves the case to TypeScript. */
  giveUpIf(condition: Value): void {
    this.f.if(condition, () => this.f.return(w.i32(0)));
  }

  done(): void {
    this.f.return(w.i32(1));
  }

  u32(slot: number): Value {
    return w.load32(this.c, slot);
  }
  setU32(slot: number, v: Value): void {
    this.f.do(w.store32(this.c, v, slot));
  }
  u64(slot: number): Value {
    return w.load64(this.c, slot);
  }
  setU64(slot: number, v: Value): void {
    this.f.do(w.store64(this.c, v, slot));
  }

  /** Address of the TLB half of supervisors, or of CPL 3 (mmu/tlb.ts: `tlbHalf`). */
  tlbHalf(user: boolean | Value): Value {
    const index = w.shrU(w.sub(this.c, w.i32(CPU_BLOCKS)), w.i32(Math.log2(CPU_BLOCK_SIZE)));
    const context = w.mul(this.u32(L.TLB_CONTEXT), w.i32(2 * TLB_HALF_SIZE));
    const half = w.add(w.add(w.mul(index, w.i32(TLB_PER_CPU)), context), w.i32(TLBS));
    if (typeof user === 'boolean') return user ? w.add(half, w.i32(TLB_HALF_SIZE)) : half;
    return w.add(half, w.mul(user, w.i32(TLB_HALF_SIZE)));
  }

  /** Gives up unless the address is canonical. */
  requireCanonical(linear: Local): void {
    const unused = this.let(w.select(w.and(this.u32(L.CR4), w.i32(CR4.LA57)), w.i64(64 - 57), w.i64(64 - 48)));
    this.giveUpIf(w.ne(w.shrS(w.shl(linear, unused), unused), linear));
  }
}
