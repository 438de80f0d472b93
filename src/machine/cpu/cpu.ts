import type { LinearMemory } from '../memory/linear-memory.ts';
import type { MachineServices } from '../machine-services.ts';
import { CPU_BLOCKS, CPU_BLOCK_SIZE } from '../memory/layout.ts';
import type { LinearAddr } from '../memory/address.ts';
import type { CpuModel } from './models/model.ts';
import type { GuestHooks, InterruptSource } from './hooks.ts';
import * as L from './layout.ts';
import type { QuickFunctions } from './quick/module.ts';
import { arithmeticFlags, setArithmeticFlags } from './flags.ts';

/** RFLAGS bits: SDM Vol. 1, 3.4.3. */
export const Flag = {
  CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800, IOPL: 0x3000, NT: 0x4000, RF: 0x1_0000, VM: 0x2_0000,
  AC: 0x4_0000, VIF: 0x8_0000, VIP: 0x10_0000, ID: 0x20_0000,
} as const; // prettier-ignore
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
export const SYSTEM_FLAGS = 0x3f_ffff & ~ARITHMETIC & ~0x802a;

/** CR0 and CR4 bits and EFER bits: SDM Vol. 3, 2.5 and 2.2.1. */
export const CR0 = { PE: 1, MP: 2, EM: 4, TS: 8, ET: 16, NE: 32, WP: 0x1_0000, AM: 0x4_0000, NW: 0x2000_0000, CD: 0x4000_0000, PG: 0x8000_0000 } as const; // prettier-ignore
export const CR4 = {
  VME: 1, PVI: 2, TSD: 4, DE: 8, PSE: 0x10, PAE: 0x20, MCE: 0x40, PGE: 0x80, PCE: 0x100, OSFXSR: 0x200, OSXMMEXCPT: 0x400, UMIP: 0x800, LA57: 0x1000,
  VMXE: 0x2000, SMXE: 0x4000, FSGSBASE: 0x1_0000, PCIDE: 0x2_0000, OSXSAVE: 0x4_0000, SMEP: 0x10_0000, SMAP: 0x20_0000, PKE: 0x40_0000,
} as const; // prettier-ignore
export const EFER = { SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800 } as const;

export const VmxMode = { off: 0, root: 1, nonRoot: 2 } as const;
/** As in the VMCS, which knows nothing of MWAIT: a processor that waits in it is woken before an exit. */
export const Activity = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3, mwait: 4 } as const;
export const Interruptibility = { sti: 1, movSs: 2, nmi: 8 } as const;

/** One segment register: a view of its slot, not a copy. */
export class Segment {
  readonly #m: LinearMemory;
  readonly #at: number;
  constructor(m: LinearMemory, at: number) {
    this.#m = m;
    this.#at = at;
  }
  get selector(): number {
    return this.#m.u32[(this.#at + L.SEG_SELECTOR) >> 2]!;
  }
  set selector(v: number) {
    this.#m.u32[(this.#at + L.SEG_SELECTOR) >> 2] = v & 0xffff;
  }
  /** VMCS access-rights format: SDM Vol. 3, 25.4.1. */
  get attr(): number {
    return this.#m.u32[(this.#at + L.SEG_ATTR) >> 2]!;
  }
  get base(): bigint {
    return this.#m.u64[(this.#at + L.SEG_BASE) >> 3]!;
  }
  set base(v: bigint) {
    this.#m.u64[(this.#at + L.SEG_BASE) >> 3] = v;
  }
  get limit(): number {
    return this.#m.u32[(this.#at + L.SEG_LIMIT) >> 2]!;
  }
  get type(): number {
    return this.attr & 15;
  }
  get dpl(): number {
    return (this.attr >> 5) & 3;
  }
  get present(): boolean {
    return (this.attr & 0x80) !== 0;
  }
  get unusable(): boolean {
    return (this.attr & 0x1_0000) !== 0;
  }
  /** D/B bit. */
  get big(): boolean {
    return (this.attr & 0x4000) !== 0;
  }
  get long(): boolean {
    return (this.attr & 0x2000) !== 0;
  }
  /** Sets everything at once and derives the fast limits that emitted code checks. */
  load(selector: number, base: bigint, limit: number, attr: number): void {
    this.#load(selector, limit, attr);
    this.#m.u64[(this.#at + L.SEG_BASE) >> 3] = base;
  }
  /** The same without a bigint: the base's low half, and its high half. */
  loadLow(selector: number, base: number, limit: number, attr: number, baseHigh = 0): void {
    this.#load(selector, limit, attr);
    this.#m.u32[(this.#at + L.SEG_BASE) >> 2] = base;
    this.#m.u32[((this.#at + L.SEG_BASE) >> 2) + 1] = baseHigh;
  }
  #load(selector: number, limit: number, attr: number): void {
    const { u32 } = this.#m;
    const at = this.#at;
    u32[(at + L.SEG_SELECTOR) >> 2] = selector & 0xffff;
    u32[(at + L.SEG_ATTR) >> 2] = attr;
    u32[(at + L.SEG_LIMIT) >> 2] = limit;
    // Expand-down, absent, execute-only and system segments always take the slow path: end 0 admits nothing.
    const usable = (attr & 0x1_0090) === 0x90;
    const code = (attr & 8) !== 0;
    const expandDown = !code && (attr & 4) !== 0;
    const read = usable && !expandDown && (!code || (attr & 2) !== 0);
    const write = usable && !expandDown && !code && (attr & 2) !== 0;
    // The end of a segment of 4 GiB needs bit 32.
    const end = (limit + 1) >>> 0;
    const top = end === 0 ? 1 : 0;
    u32[(at + L.SEG_READ_END) >> 2] = read ? end : 0;
    u32[((at + L.SEG_READ_END) >> 2) + 1] = read ? top : 0;
    u32[(at + L.SEG_WRITE_END) >> 2] = write ? end : 0;
    u32[((at + L.SEG_WRITE_END) >> 2) + 1] = write ? top : 0;
  }
}

/**
 * One logical processor: typed access to its block of linear memory. All of its architectural state is there, none in
 * this object, so a snapshot is a copy of bytes. Methods here only read and write; behaviour is in the modules beside.
 */
export class Cpu {
  readonly index: number;
  /** Address of the CPU block in linear memory. */
  readonly block: number;
  readonly m: LinearMemory;
  readonly model: CpuModel;
  /** The machine around the CPU: clock, ports, memory, signals. */
  readonly machine: MachineServices;
  /** Set by the machine: the local APIC of this CPU. */
  irq!: InterruptSource;
  /** The FERR# pin, which says that an unmasked x87 exception waits while CR0.NE is clear; wired by the machine. */
  ferr: (asserted: boolean) => void = () => {};
  #guest: GuestHooks | null = null;
  /** The quick ways in WebAssembly; set by the runner, undefined without one. */
  quick: QuickFunctions | undefined;
  readonly segments: readonly Segment[];
  /** Did the helper that runs set `rip`? Within one instruction only, so not machine state. */
  ripWritten = false;

  constructor(index: number, m: LinearMemory, model: CpuModel, machine: MachineServices) {
    this.index = index;
    this.block = CPU_BLOCKS + index * CPU_BLOCK_SIZE;
    this.m = m;
    this.model = model;
    this.machine = machine;
    this.segments = Array.from({ length: 8 }, (_, n) => new Segment(m, this.block + L.SEGMENTS + n * L.SEGMENT_SIZE));
  }

  /** The VMX hooks while in VMX non-root operation, else null (kept by vmx/, restored from VMX_MODE). */
  get guest(): GuestHooks | null {
    return this.#guest;
  }
  set guest(hooks: GuestHooks | null) {
    this.#guest = hooks;
    this.setU32(L.NESTED, hooks?.nested ? 1 : 0);
  }

  /** Raw slots by block offset. */
  u32(offset: number): number {
    return this.m.u32[(this.block + offset) >> 2]!;
  }
  setU32(offset: number, v: number): void {
    this.m.u32[(this.block + offset) >> 2] = v;
  }
  u64(offset: number): bigint {
    return this.m.u64[(this.block + offset) >> 3]!;
  }
  setU64(offset: number, v: bigint): void {
    this.m.u64[(this.block + offset) >> 3] = v;
  }
  /** A slot of 64 bits of which only the low half is not 0. */
  setLow(offset: number, low: number): void {
    this.m.u32[(this.block + offset) >> 2] = low;
    this.m.u32[((this.block + offset) >> 2) + 1] = 0;
  }

  /** General register n (0..15), all 64 bits. */
  gpr(n: number): bigint {
    return this.m.u64[(this.block >> 3) + n]!;
  }
  setGpr(n: number, v: bigint): void {
    this.m.u64[(this.block >> 3) + n] = v;
  }
  /** Low 32 bits of general register n, unsigned. */
  gpr32(n: number): number {
    return this.m.u32[(this.block >> 2) + n * 2]!;
  }
  /** Writes 32 bits and zero-extends, as a 32-bit destination does. */
  setGpr32(n: number, v: number): void {
    this.m.u32[(this.block >> 2) + n * 2] = v;
    this.m.u32[(this.block >> 2) + n * 2 + 1] = 0;
  }
  gpr16(n: number): number {
    return this.m.u16[(this.block >> 1) + n * 4]!;
  }
  setGpr16(n: number, v: number): void {
    this.m.u16[(this.block >> 1) + n * 4] = v;
  }
  /** Byte register by encoding: without REX 4..7 are AH CH DH BH. */
  gpr8(n: number, rex: number): number {
    return this.m.u8[this.block + byteRegisterOffset(n, rex !== 0)]!;
  }
  setGpr8(n: number, rex: number, v: number): void {
    this.m.u8[this.block + byteRegisterOffset(n, rex !== 0)] = v;
  }
  /** Reads / writes register n at a width of 8 (REX form), 16, 32 or 64 bits with x86's merge rules. */
  readGpr(n: number, bits: number, rex = 1): bigint {
    if (bits === 64) return this.gpr(n);
    return BigInt(bits === 32 ? this.gpr32(n) : bits === 16 ? this.gpr16(n) : this.gpr8(n, rex));
  }
  writeGpr(n: number, bits: number, v: bigint, rex = 1): void {
    if (bits === 64) this.setGpr(n, v);
    else if (bits === 32) this.setGpr32(n, Number(v & 0xffff_ffffn));
    else if (bits === 16) this.setGpr16(n, Number(v & 0xffffn));
    else this.setGpr8(n, rex, Number(v & 0xffn));
  }

  /** RIP as an offset in CS. */
  get rip(): bigint {
    return this.u64(L.RIP);
  }
  set rip(v: bigint) {
    this.setU64(L.RIP, v);
    this.ripWritten = true;
  }
  /** RIP after the current instruction; a helper that branches sets `rip` and the run loop leaves it alone. */
  get nextRip(): bigint {
    return this.u64(L.NEXT_RIP);
  }
  set nextRip(v: bigint) {
    this.setU64(L.NEXT_RIP, v);
  }
  get rsp(): bigint {
    return this.gpr(4);
  }
  set rsp(v: bigint) {
    this.setGpr(4, v);
  }

  /** All of RFLAGS, bit 1 set. */
  get rflags(): number {
    return arithmeticFlags(this) | this.u32(L.SYSFLAGS) | 2;
  }
  set rflags(v: number) {
    setArithmeticFlags(this, v);
    this.setU32(L.SYSFLAGS, v & SYSTEM_FLAGS);
  }
  /** The non-arithmetic bits of RFLAGS. */
  get sysflags(): number {
    return this.u32(L.SYSFLAGS);
  }
  set sysflags(v: number) {
    this.setU32(L.SYSFLAGS, v & SYSTEM_FLAGS);
  }

  get cr0(): bigint {
    return this.u64(L.CR0);
  }
  set cr0(v: bigint) {
    this.setU64(L.CR0, v);
  }
  get cr2(): bigint {
    return this.u64(L.CR2);
  }
  set cr2(v: bigint) {
    this.setU64(L.CR2, v);
  }
  get cr3(): bigint {
    return this.u64(L.CR3);
  }
  set cr3(v: bigint) {
    this.setU64(L.CR3, v);
  }
  get cr4(): bigint {
    return this.u64(L.CR4);
  }
  set cr4(v: bigint) {
    this.setU64(L.CR4, v);
  }
  get efer(): bigint {
    return this.u64(L.EFER);
  }
  set efer(v: bigint) {
    this.setU64(L.EFER, v);
  }
  /** Debug register n: 0-3, 6, 7. */
  dr(n: number): bigint {
    return this.u64(L.DR0 + n * 8);
  }
  setDr(n: number, v: bigint): void {
    this.setU64(L.DR0 + n * 8, v);
  }
  /** CR0 and CR4 fit 32 bits: cheap tests. */
  get cr0bits(): number {
    return this.u32(L.CR0);
  }
  get cr4bits(): number {
    return this.u32(L.CR4);
  }

  get cpl(): number {
    return this.u32(L.CPL);
  }
  get vmxMode(): number {
    return this.u32(L.VMX_MODE);
  }
  get activity(): number {
    return this.u32(L.ACTIVITY);
  }
  set activity(v: number) {
    this.setU32(L.ACTIVITY, v);
  }
  get interruptibility(): number {
    return this.u32(L.INTERRUPTIBILITY);
  }
  set interruptibility(v: number) {
    this.setU32(L.INTERRUPTIBILITY, v);
  }
  get pending(): number {
    return this.u32(L.PENDING);
  }
  /** Raises `Pending` bits: emitted code is left at the next boundary. */
  raise(bits: number): void {
    this.setU32(L.PENDING, this.u32(L.PENDING) | bits);
    this.machine.kick();
  }
  clear(bits: number): void {
    this.setU32(L.PENDING, this.u32(L.PENDING) & ~bits);
  }
  get retired(): bigint {
    return this.u64(L.RETIRED);
  }

  get realMode(): boolean {
    return (this.cr0bits & CR0.PE) === 0;
  }
  get v8086(): boolean {
    return (this.sysflags & Flag.VM) !== 0;
  }
  /** IA-32e mode active (EFER.LMA). */
  get longMode(): boolean {
    return (this.u32(L.EFER) & EFER.LMA) !== 0;
  }
  /** 64-bit mode: IA-32e mode active and CS.L set. */
  get code64(): boolean {
    return this.u32(L.CODE_SIZE) === 2;
  }
  get pagingOn(): boolean {
    return this.cr0bits >>> 31 === 1;
  }
  /** The same for a base that is loaded into a register: by what the processor has, whatever CR4.LA57 is. */
  canonicalBase(a: LinearAddr): boolean {
    return BigInt.asUintN(64, BigInt.asIntN(this.model.features.has('la57') ? 57 : 48, a)) === a;
  }
  /** True for a canonical address under the current paging depth (48 bits, or 57 with CR4.LA57). */
  canonical(a: LinearAddr): boolean {
    const width = (this.cr4bits & CR4.LA57) !== 0 ? 57 : 48;
    return BigInt.asUintN(64, BigInt.asIntN(width, a)) === a;
  }
}

/** Offset of a byte register in the CPU block: SDM Vol. 2, table 3-1. */
export function byteRegisterOffset(n: number, rex: boolean): number {
  return !rex && n >= 4 && n < 8 ? (n - 4) * 8 + 1 : n * 8;
}
