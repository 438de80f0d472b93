import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { TLB_ENTRIES, TLB_HALF_SIZE } from '../../memory/layout.ts';
import { CR4, Flag, VmxMode } from '../cpu.ts';
import * as L from '../layout.ts';
import { HOST_DELTA, READ_TAG, WRITE_TAG } from '../mmu/tlb.ts';
import { FlagValues } from '../tiers/flag-values.ts';
import type { FunctionBuilder, Local } from '../wasm/function.ts';
import { contextInUse } from './walk.ts';

/** Number of a function of the module by its name. */
export type FunctionNumber = (name: string) => number;

/**
 * A function on the CPU block, its first parameter. It returns 1 when it did everything, 0 when nothing: `giveUpIf` comes
 * before any change.
 */
export class CpuCode extends FlagValues {
  readonly #number: FunctionNumber;

  constructor(f: FunctionBuilder, number: FunctionNumber) {
    super(f);
    this.#number = number;
  }

  /** Leaves the case to TypeScript. */
  giveUpIf(condition: Value): void {
    this.f.if(condition, () => this.f.return(w.i32(0)));
  }

  done(): void {
    this.f.return(w.i32(1));
  }

  /** Calls another function of the module with this CPU block. */
  run(name: string, ...args: Value[]): Value {
    return this.f.call(this.#number(name), [this.c, ...args]);
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
    const half = contextInUse(this.c);
    if (typeof user === 'boolean') return user ? w.add(half, w.i32(TLB_HALF_SIZE)) : half;
    return w.add(half, w.mul(user, w.i32(TLB_HALF_SIZE)));
  }

  /**
   * What to add to the low half of an address of the page that holds `bytes` bytes from `linear` on; gives up where the TLB
   * does not know it or they lie in two pages.
   */
  delta(half: Value, linear: Local, bytes: number, write: boolean): Local {
    const last = w.and(w.add(linear, w.i64(bytes - 1)), w.i64(-4096));
    const entry = this.let(w.add(half, w.and(w.wrap(w.shrU(linear, w.i64(7))), w.i32((TLB_ENTRIES - 1) << 5))));
    this.giveUpIf(w.ne(w.load64(entry, write ? WRITE_TAG : READ_TAG), last));
    return this.let(w.load32(entry, HOST_DELTA));
  }

  /** Address in linear memory of so many bytes to read. */
  locate(half: Value, linear: Value, bytes: number): Local {
    const at = this.let(linear);
    return this.let(w.add(this.delta(half, at, bytes, false), w.wrap(at)));
  }

  /**
   * The words of 8 bytes from `linear` on, which is aligned to that, as addresses in linear memory; they may lie in two pages.
   */
  words(half: Local, linear: Local, bytes: number, write: boolean): (n: number) => Value {
    const first = this.delta(half, linear, 8, write);
    const second = this.f.temp('i32');
    this.f.set(second, first);
    const low = this.let(w.and(w.wrap(linear), w.i32(0xfff)));
    this.f.if(w.gtU(low, w.i32(4096 - bytes)), () => this.f.set(second, this.delta(half, this.let(w.add(linear, w.i64(bytes - 8))), 8, write)));
    return (n) => {
      const at = w.add(w.wrap(linear), w.i32(n * 8));
      return w.add(at, w.select(w.ltU(w.and(at, w.i32(0xfff)), low), second, first));
    };
  }

  /** Nonzero when the boundary is to be looked at before the next instruction: boundary.ts, `calls`. */
  calls(): Value {
    const waits = w.eqz(w.or(w.and(this.u32(L.SYSFLAGS), w.i32(Flag.IF)), w.eq(this.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot))));
    return w.and(this.u32(L.PENDING), w.select(waits, w.i32(~L.Pending.interrupt), w.i32(-1)));
  }

  /** Gives up in VMX non-root operation: the instruction may cause a VM exit or see other values there. */
  giveUpInGuest(): void {
    this.giveUpIf(w.eq(this.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot)));
  }

  /** Gives up unless the address is canonical. */
  requireCanonical(linear: Local): void {
    const unused = this.let(w.select(w.and(this.u32(L.CR4), w.i32(CR4.LA57)), w.i64(64 - 57), w.i64(64 - 48)));
    this.giveUpIf(w.ne(w.shrS(w.shl(linear, unused), unused), linear));
  }
}
