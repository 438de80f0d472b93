/** A CPU with descriptor tables, TSS and stacks laid out by hand, and instructions given as bytes: SDM Vol. 3, chapters 3, 5, 6, 7. */
import { ABANDONED, GuestFault } from '../../src/machine/cpu/fault.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { Flag } from '../../src/machine/cpu/cpu.ts';
import { Decoder } from '../../src/machine/cpu/isa/decoder.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import { systemInstructions } from '../../src/machine/cpu/system/index.ts';
import { updateMode } from '../../src/machine/cpu/system/segments.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';
import { enterMode, P, PageTables, U, W } from '../support/page-tables.ts';

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS_A = 0x5000;
export const TSS_B = 0x6000;
export const LDT = 0x7000;
export const CODE = 0x9000;
export const STACK = 0x1_8000;
export const STACK0 = 0x2_8000;
export const STACK1 = 0x2_c000;
export const STACK2 = 0x2_e000;
export const IST1 = 0x3_8000;

/** Selectors of the standard GDT. */
export const S = {
  code0: 0x08, data0: 0x10, code3: 0x1b, data3: 0x23, tssA: 0x28, // 16 bytes in long mode
  code64: 0x38, code64User: 0x43, conforming: 0x48, ldt: 0x50, // 16 bytes in long mode
  tssB: 0x60, code16: 0x70, data16: 0x78, code1: 0x81, data1: 0x89, absentCode: 0x90, absentData: 0x98, readOnly: 0xa0, executeOnly: 0xa8, expandDown: 0xb0,
  gate: 0xb8, // 16 bytes in long mode: for the test to fill
  conforming64: 0xc8, badCode: 0xd0, absentData3: 0xdb, code64Absent: 0xe0, data2: 0xea, free: 0xf0, beyond: 0x200,
} as const; // prettier-ignore

export interface SegmentSpec {
  readonly base?: number;
  /** In pages when `g`. */
  readonly limit?: number;
  /** Type, with S: 0x1b = code readable accessed, 0x13 = data writable accessed, 0x09 = TSS... */
  readonly type: number;
  readonly dpl?: number;
  readonly present?: boolean;
  readonly l?: boolean;
  readonly d?: boolean;
  readonly g?: boolean;
}

export function descriptor(s: SegmentSpec): bigint {
  const base = BigInt(s.base ?? 0);
  const limit = BigInt(s.limit ?? 0xf_ffff);
  const access = BigInt(s.type | ((s.dpl ?? 0) << 5) | (s.present === false ? 0 : 0x80));
  const flags = (s.l ? 2n : 0n) | ((s.d ?? !s.l) ? 4n : 0n) | ((s.g ?? true) ? 8n : 0n);
  return (limit & 0xffffn) | ((base & 0xff_ffffn) << 16n) | (access << 40n) | ((limit >> 16n) << 48n) | (flags << 52n) | ((base >> 24n) << 56n);
}

export interface GateSpec {
  readonly selector: number;
  readonly offset?: bigint | number;
  readonly type: number;
  readonly dpl?: number;
  readonly present?: boolean;
  /** Parameter count of a call gate, IST of an interrupt gate. */
  readonly extra?: number;
}

/** Lower and upper 8 bytes. */
export function gate(g: GateSpec): [bigint, bigint] {
  const offset = BigInt(g.offset ?? 0);
  const access = BigInt(g.type | ((g.dpl ?? 0) << 5) | (g.present === false ? 0 : 0x80));
  const low =
    (offset & 0xffffn) | (BigInt(g.selector) << 16n) | (BigInt(g.extra ?? 0) << 32n) | (access << 40n) | (((offset >> 16n) & 0xffffn) << 48n);
  return [low, offset >> 32n];
}

export type Mode = 'real' | 'protected' | 'v8086' | 'long' | 'compatibility';

export class World {
  readonly machine: FakeMachine;
  readonly cpu: Cpu;
  readonly mode: Mode;
  readonly long: boolean;
  tables: PageTables | undefined;

  constructor(mode: Mode, cpl = mode === 'v8086' ? 3 : 0, model: string | CpuModel = 'skylake') {
    this.machine = fakeMachine({ ramSize: 4 << 20, model });
    this.cpu = this.machine.cpu;
    this.mode = mode;
    this.long = mode === 'long' || mode === 'compatibility';
    this.#segments();
    this.#systemTables();
    if (mode === 'real') this.#enterReal();
    else this.#enterProtected(cpl);
    this.cpu.rflags = this.cpu.v8086 ? Flag.VM : 0;
    this.cpu.rip = BigInt(CODE);
    this.cpu.nextRip = BigInt(CODE);
    this.cpu.rsp = BigInt(STACK);
    if (mode === 'real' || mode === 'v8086') this.cpu.rsp = 0x8000n;
  }

  #segments(): void {
    const at = (selector: number, s: SegmentSpec): void => this.setDescriptor(selector, descriptor(s));
    at(S.code0, { type: 0x1b });
    at(S.data0, { type: 0x13 });
    at(S.code3, { type: 0x1b, dpl: 3 });
    at(S.data3, { type: 0x13, dpl: 3 });
    at(S.tssA, { base: TSS_A, limit: 0x7ff, type: 0x0b, g: false, d: false });
    at(S.code64, { type: 0x1b, l: true });
    at(S.code64User, { type: 0x1b, dpl: 3, l: true });
    at(S.conforming, { type: 0x1f });
    at(S.ldt, { base: LDT, limit: 0xff, type: 0x02, g: false, d: false });
    at(S.tssB, { base: TSS_B, limit: 0x67, type: 0x09, g: false, d: false });
    at(S.code16, { type: 0x1b, d: false, g: false, limit: 0xffff });
    at(S.data16, { type: 0x13, d: false, g: false, limit: 0xffff });
    at(S.code1, { type: 0x1b, dpl: 1, l: this.long });
    at(S.data1, { type: 0x13, dpl: 1 });
    at(S.absentCode, { type: 0x1b, present: false });
    at(S.absentData, { type: 0x13, present: false });
    at(S.readOnly, { type: 0x11 });
    at(S.executeOnly, { type: 0x19 });
    at(S.expandDown, { type: 0x17, limit: 0xf, g: true });
    at(S.conforming64, { type: 0x1f, l: true });
    at(S.badCode, { type: 0x1b, l: true, d: true });
    at(S.absentData3, { type: 0x13, dpl: 3, present: false });
    at(S.code64Absent, { type: 0x1b, l: true, present: false });
    at(S.data2, { type: 0x13, dpl: 2 });
  }

  #systemTables(): void {
    const { cpu } = this;
    cpu.setU64(L.GDTR_BASE, BigInt(GDT));
    cpu.setU32(L.GDTR_LIMIT, 0xff);
    cpu.setU64(L.IDTR_BASE, BigInt(IDT));
    cpu.setU32(L.IDTR_LIMIT, this.mode === 'real' ? 0x3ff : this.long ? 0xfff : 0x7ff);
    if (this.long) {
      this.write(TSS_A + 4, 8, BigInt(STACK0));
      this.write(TSS_A + 12, 8, BigInt(STACK1));
      this.write(TSS_A + 20, 8, BigInt(STACK2));
      this.write(TSS_A + 0x24, 8, BigInt(IST1));
    } else {
      [STACK0, STACK1, STACK2].forEach((sp, n) => {
        this.write(TSS_A + 4 + n * 8, 4, BigInt(sp));
        this.write(TSS_A + 8 + n * 8, 2, BigInt([S.data0, S.data1, S.data2][n]!));
      });
    }
    this.write(TSS_A + 102, 2, 0x68n);
  }

  #enterReal(): void {
    const { cpu } = this;
    cpu.cr0 = 0x10n;
    for (const n of [L.ES, L.SS, L.DS, L.FS, L.GS]) cpu.segments[n]!.load(0, 0n, 0xffff, 0x93);
    cpu.segments[L.CS]!.load(0, 0n, 0xffff, 0x9b);
    cpu.setU64(L.IDTR_BASE, 0n);
    updateMode(cpu);
  }

  #enterProtected(cpl: number): void {
    const { cpu, long } = this;
    this.tables = new PageTables(this.machine, long ? '4-level' : 'off');
    if (long) {
      this.tables.map(0n, 0, P | W | U, 2);
      this.tables.map(0x20_0000n, 0x20_0000, P | W | U, 2);
      this.tables.map(0xffff_8000_0000_0000n, 0, P | W | U, 2);
    }
    enterMode(cpu, this.tables, { cpl });
    cpu.setU32(L.GDTR_LIMIT, 0xff);
    for (const n of [L.ES, L.SS, L.DS, L.FS, L.GS]) this.loadFrom(n, [S.data0, S.data1, S.data2, S.data3][cpl]!);
    const user = this.mode === 'long' ? S.code64User : S.code3;
    const kernel = this.mode === 'long' ? S.code64 : S.code0;
    this.loadFrom(L.CS, cpl === 3 ? user : cpl === 1 ? S.code1 : kernel);
    this.loadFrom(L.TR, S.tssA);
    this.loadFrom(L.LDTR, S.ldt);
    if (this.mode === 'v8086') {
      cpu.sysflags |= Flag.VM;
      for (let n = 0; n < 6; n++) cpu.segments[n]!.load(0x10 * n, BigInt(0x100 * n), 0xffff, 0xf3);
      cpu.segments[L.CS]!.load(0, 0n, 0xffff, 0xf3);
      cpu.segments[L.SS]!.load(0x1000, 0x1_0000n, 0xffff, 0xf3);
    }
    updateMode(cpu);
  }

  /** Loads a segment register with what the GDT says, unchecked. */
  loadFrom(segment: number, selector: number): void {
    const raw = this.read(GDT + (selector & 0xfff8), 8);
    const high = Number(raw >> 32n);
    const pages = (high & 0xf_0000) | Number(raw & 0xffffn);
    const base = ((raw >> 16n) & 0xff_ffffn) | ((raw >> 56n) << 24n);
    this.cpu.segments[segment]!.load(selector, base, (high & 0x80_0000) !== 0 ? ((pages << 12) | 0xfff) >>> 0 : pages, (high >>> 8) & 0xf0ff);
  }

  setDescriptor(selector: number, low: bigint, high = 0n): void {
    this.write(GDT + (selector & 0xfff8), 8, low);
    if (high !== 0n) this.write(GDT + (selector & 0xfff8) + 8, 8, high);
  }

  /** An IDT entry of the mode. */
  setIdt(vector: number, spec: GateSpec): void {
    const [low, high] = gate(spec);
    if (this.long) {
      this.write(IDT + vector * 16, 8, low);
      this.write(IDT + vector * 16 + 8, 8, high);
    } else this.write(IDT + vector * 8, 8, low);
  }

  read(at: number, size: 1 | 2 | 4 | 8): bigint {
    return size === 8 ? this.machine.memory.read64(at) : BigInt(this.machine.memory.read(at, size));
  }

  write(at: number, size: 1 | 2 | 4 | 8, value: bigint): void {
    if (size === 8) this.machine.memory.write64(at, value);
    else this.machine.memory.write(at, size, Number(value));
  }

  /** The `count` values of `size` bytes at the stack pointer, top first, as hex. */
  stack(count: number, size: 2 | 4 | 8): string {
    const ss = this.cpu.segments[L.SS]!;
    const top = Number(this.cpu.code64 ? this.cpu.rsp : ss.base + (ss.big ? this.cpu.rsp & 0xffff_ffffn : this.cpu.rsp & 0xffffn));
    return Array.from({ length: count }, (_, n) => this.read(top + n * size, size).toString(16)).join(' ');
  }

  /** Where execution is: "cs:rip cpl". */
  place(): string {
    return `${this.cpu.segments[L.CS]!.selector.toString(16)}:${this.cpu.rip.toString(16)} cpl ${this.cpu.cpl}`;
  }

  decode(text: string): Insn {
    const bytes = Uint8Array.from(text.split(/\s+/).map((b) => parseInt(b, 16)));
    const decoder = new Decoder();
    const failure = decoder.decode(bytes, 0, bytes.length, ([16, 32, 64] as const)[this.cpu.u32(L.CODE_SIZE)]!);
    if (failure || decoder.length !== bytes.length) throw new Error(`"${text}" does not decode: ${failure ?? `${decoder.length} bytes`}`);
    return decoder.toInsn();
  }

  /**
   * Executes one instruction as the core does: 'ok', or the fault as the SDM writes it ('#GP(8)'), or 'abandoned'. A fault must leave the CPU as it
   * was, which is checked.
   */
  run(text: string): string {
    const { cpu } = this;
    const insn = this.decode(text);
    cpu.nextRip = cpu.rip + BigInt(insn.length);
    const helper = systemInstructions[insn.name];
    if (!helper) throw new Error(`no helper ${insn.name}`);
    const before = this.#image();
    const rip = cpu.rip;
    try {
      helper(cpu, insn);
      if (cpu.rip === rip) cpu.rip = cpu.nextRip;
      return 'ok';
    } catch (e) {
      if (e === ABANDONED) return 'abandoned';
      if (!(e instanceof GuestFault)) throw e;
      if (this.#image() !== before) throw new Error(`${text}: the fault changed the CPU`, { cause: e });
      return faultName(e);
    }
  }

  /** The CPU block without CR2, interruptibility (IRET unblocks NMIs even when it faults) and caches. */
  #image(): string {
    const copy = this.cpu.m.u8.slice(this.cpu.block, this.cpu.block + 0x1000);
    copy.fill(0, L.CR2, L.CR2 + 8);
    copy.fill(0, L.INTERRUPTIBILITY, L.INTERRUPTIBILITY + 4);
    return Array.from(copy).join();
  }
}

const NAMES: Readonly<Record<number, string>> = {
  0: 'DE',
  1: 'DB',
  3: 'BP',
  4: 'OF',
  5: 'BR',
  6: 'UD',
  7: 'NM',
  8: 'DF',
  10: 'TS',
  11: 'NP',
  12: 'SS',
  13: 'GP',
  14: 'PF',
  16: 'MF',
};

export function faultName(fault: { readonly vector: number; readonly errorCode: number | undefined }): string {
  const code = fault.errorCode === undefined ? '' : `(${fault.errorCode.toString(16)})`;
  return `#${NAMES[fault.vector] ?? fault.vector}${code}`;
}

/** Little-endian bytes of a number, as text for `run`. */
export function le(value: bigint | number, size: number): string {
  const bytes = Array.from({ length: size }, (_, n) => Number((BigInt(value) >> BigInt(8 * n)) & 0xffn));
  return bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ');
}
