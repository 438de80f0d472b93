import type { FunctionBuilder, Label, Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import * as L from '../layout.ts';
import { BOUNCE_END, INDIRECT_TARGET_COUNT, INDIRECT_TARGETS, RECORD_SIZE, TLB_ENTRIES } from '../../memory/layout.ts';
import { CR0, CR4, Flag } from '../cpu.ts';
import { FlagValues } from './flag-values.ts';
import { knownCondition } from './known-flags.ts';
import type { KnownFlags } from './known-flags.ts';
import { BUDGET_FLOOR, Exit, operandField, REC_A, REC_B, REC_BASE, REC_DISP, REC_IMM, REC_INDEX, REC_WHERE } from './record.ts';
import { VectorPlace } from './vector-place.ts';

export type Width = 8 | 16 | 32 | 64;
/** Address forms of a handler: register, memory by base + displacement, memory with index. */
export type Form = 'r' | 'mb' | 'mx';

/** The functions emitted code imports, in order. All take (cpu block, record, budget left) first. */
export const imports = [
  { name: 'slow', params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'commit', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'enter', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'link', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'helper', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'raise', params: ['i32', 'i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'mark', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'divide', params: ['i32', 'i32'], result: 'i32' },
  { name: 'segment', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'hot', params: ['i32', 'i32', 'i32'], result: 'i32' },
  { name: 'float', params: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'x87', params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'ram', params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'portIn', params: ['i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'portOut', params: ['i32', 'i32', 'i32', 'i32', 'i32'], result: 'i32' },
  { name: 'fault', params: ['i32', 'i32', 'i32'], result: 'i32' },
] as const; // prettier-ignore
export type ImportName = (typeof imports)[number]['name'];
export const importNumber = (name: ImportName): number => imports.findIndex((i) => i.name === name);

/** An operand that can be read and written. `set` comes last: nothing may fault after it. */
export interface Place {
  readonly width: Width;
  get(): Value;
  set(v: Value): void;
}

/** Access kinds of the slow path (mmu/slow-path.ts). */
export const AccessKind = { read: 0, write: 1, modify: 2, stack: 4 } as const;

/**
 * What an instruction's meaning is written against. This implementation is the generic one: operands are found through
 * the record at run time. Operand values have the type of their width: i32 up to 32 bits (zero-extended), else i64.
 */
export class Emitter extends FlagValues {
  readonly pc: Local;
  readonly left: Local;
  readonly floor: Local;
  readonly target: Local;
  /** Nonzero after a write in a handler that ends a block asked to leave: `leaveIfAsked` sees to it. */
  readonly asked: Local;
  /** Set by the interpreter generator for the handler being emitted. */
  width: Width = 64;
  form: Form = 'r';
  operands: readonly string[] = [];
  /** Bytes of the vectors operated on, and whether the instruction has a VEX prefix. */
  vectorBytes: 8 | 16 | 32 = 16;
  vex = false;
  /** Outside 64-bit mode: stack and branch handlers differ. */
  legacy = false;
  /** 'near': the branch target lies in the same page and is reached through the record's link. */
  variant: 'far' | 'near' = 'far';
  /** Address size of handlers that use rCX implicitly. */
  address: 16 | 32 | 64 = 64;
  /** Repeat prefix of a string instruction. */
  repeat: 0 | 0xf2 | 0xf3 = 0;
  enterLabel!: Label;
  dispatchLabel!: Label;
  nextLabel!: Label;
  /** Set for handlers that end a block: a write's wish to leave is met by the branch itself. */
  endsBlock = false;
  /** How the flags were set last by the code being emitted, when it was by a comparison that a condition can use. */
  #known: KnownFlags | undefined;
  /** True once the handler has left the record itself (a branch); then no fall-through is emitted. */
  ended = false;

  constructor(f: FunctionBuilder) {
    super(f);
    this.pc = f.param(1);
    this.left = f.param(2);
    this.floor = f.param(3);
    this.target = f.local('i64');
    this.asked = f.local('i32');
  }

  begin(): void {
    this.ended = false;
    this.#known = undefined;
  }

  call(name: ImportName, ...args: Value[]): Value {
    return this.f.call(importNumber(name), [this.c, this.pc, ...(name === 'divide' ? [] : [this.left]), ...args]);
  }

  /** Runs what `body` emits only when `count` is not zero. Flags may be set in it (nowhere else under a condition). */
  when(count: Value, body: () => void): void {
    this.f.if(count, body);
  }

  /** Leaves emitted code; the record and the budget go to their slots. */
  exit(code: Value): void {
    this.f.do(w.store32(this.c, this.pc, L.RECORD));
    this.f.do(w.store32(this.c, this.left, L.LEFT));
    this.f.return(code);
  }

  raise(vector: number, errorCode = 0): void {
    this.f.return(this.call('raise', w.i32(vector), w.i32(errorCode)));
  }

  /**
   * Calls an exact floating-point operation (semantics/float/exact.ts) on operands at addresses in linear memory; its result is in FLOAT_RESULT.
   * Leaves with #XM or #UD if it raised an unmasked exception.
   */
  exact(operation: number, a: Value, b: Value, x: Value): void {
    this.f.if(this.call('float', w.i32(operation), a, b, x), () => this.f.return(w.i32(Exit.fault)));
  }

  raiseIf(condition: Value, vector: number, errorCode = 0): void {
    this.f.if(condition, () => this.raise(vector, errorCode));
  }

  // ---- record fields

  disp(): Value {
    return w.load32s64(this.pc, REC_DISP);
  }
  imm32(): Value {
    return w.load32(this.pc, REC_IMM);
  }
  imm(width: Width): Value {
    return width === 64 ? w.load32s64(this.pc, REC_IMM) : mask(this.imm32(), width);
  }
  /** The immediate byte, zero-extended; and, where it is a constant (not here), which. */
  immByte(): Value {
    return w.load8u(this.pc, REC_IMM);
  }
  get knownImmByte(): number | undefined {
    return undefined;
  }
  /** Offset of the register that is operand n, in units of the general registers (number * 8). */
  registerField(n: number): Value {
    return w.load8u(this.pc, operandField(this.operands, n));
  }
  /** All of an immediate of 64 bits. */
  imm64(): Value {
    return w.load64(this.pc, REC_DISP);
  }
  /** The register that a bit string's element is counted in, in address records. */
  elementIndex(): Value {
    return this.register(w.load8u(this.pc, REC_B), 64).get();
  }
  /** Bytes of a memory operand, in address records. */
  accessBytes(): Value {
    return w.load8u(this.pc, REC_A);
  }
  /** Linear address of the instruction. */
  here(): Value {
    return this.codeAddress(w.unsigned64(w.and(w.load16u(this.pc, REC_WHERE), w.i32(0xfff))));
  }
  /** The record's instruction count, in records that end a block. */
  count(): Value {
    return w.load8u(this.pc, REC_B);
  }

  // ---- registers

  register(offset: Value | number, width: Width): Place {
    const at = typeof offset === 'number' ? this.c : this.let(w.add(this.c, offset));
    const k = typeof offset === 'number' ? offset : 0;
    return { width, get: () => loadWidth(at, width, k), set: (v) => this.f.do(storeRegister(at, v, width, k)) };
  }

  /** Operand n of the row, as a place. Memory is translated for reading and writing as `use` says, once. */
  place(n: number, use: 'read' | 'write' | 'modify'): Place {
    const operand = this.operands[n]!;
    const width = this.operandWidth(n);
    if (this.isMemory(n)) {
      const kind = use === 'read' ? AccessKind.read : use === 'write' ? AccessKind.write : AccessKind.modify;
      return this.memory(this.effectiveAddress(), width, kind);
    }
    if (operand[0] === 'A') return this.register(L.GPR, width);
    if (operand[0] === 'C') return this.register(L.GPR + 8, width);
    return this.register(this.registerField(n), width);
  }

  /** Operand n as a value at the instruction's width. */
  value(n: number): Value {
    const operand = this.operands[n]!;
    if (operand[0] === 'I' || operand[0] === 'J') {
      if (operand === 'Iv' && this.width === 64) return this.imm64();
      return this.imm(this.width);
    }
    if (operand === '1') return w.i32(1);
    return this.place(n, 'read').get();
  }

  isMemory(n: number): boolean {
    return this.form !== 'r' && /^[EMOQW]/.test(this.operands[n]!);
  }

  operandWidth(n: number): Width {
    const size = this.operands[n]![1];
    return size === 'b' ? 8 : size === 'w' ? 16 : size === 'd' ? 32 : size === 'q' ? 64 : this.width;
  }

  // ---- memory

  /** base + index * scale + displacement; segments and short address sizes were folded in by an address record. */
  effectiveAddress(): Value {
    const slot = (at: number): Value => w.load64(w.add(this.c, w.load8u(this.pc, at)));
    const simple = w.add(slot(REC_BASE), this.disp());
    if (this.form !== 'mx') return simple;
    const scale = w.unsigned64(w.shrU(w.load16u(this.pc, REC_WHERE), w.i32(12)));
    return w.add(simple, w.shl(slot(REC_INDEX), scale));
  }

  /** Address in linear memory where `bytes` bytes at a linear address can be accessed. Leaves with the fault otherwise. */
  translate(linear: Value, bytes: number, kind: number): Local {
    const ea = this.let(linear);
    const offset = w.and(w.wrap(w.shrU(ea, w.i64(7))), w.i32((TLB_ENTRIES - 1) << 5));
    const entry = this.let(w.add(w.load32(this.c, L.TLB), offset));
    const last = bytes === 1 ? ea : w.add(ea, w.i64(bytes - 1));
    const tag = w.load64(entry, (kind & 3) === AccessKind.read ? 0 : 8);
    const address = this.f.temp('i32');
    this.f.if(
      w.eq(tag, w.and(last, w.i64(-4096))),
      () => this.f.set(address, w.add(w.load32(entry, 28), w.wrap(ea))),
      () => {
        this.f.do(w.store64(this.c, ea, L.SLOW_ADDRESS));
        this.f.set(address, this.call('slow', w.i32(bytes | (kind << 8))));
        this.f.if(w.eqz(address), () => this.f.return(w.i32(Exit.fault)));
      },
    );
    return address;
  }

  /** The same where the TLB knows the page of the address, else 0: nothing is called, nothing can fault. */
  lookup(linear: Value, kind: number): Local {
    const ea = this.let(linear);
    const offset = w.and(w.wrap(w.shrU(ea, w.i64(7))), w.i32((TLB_ENTRIES - 1) << 5));
    const entry = this.let(w.add(w.load32(this.c, L.TLB), offset));
    const known = w.eq(w.load64(entry, kind === AccessKind.read ? 0 : 8), w.and(ea, w.i64(-4096)));
    return this.let(w.select(known, w.add(w.load32(entry, 16), w.and(w.wrap(ea), w.i32(0xfff))), w.i32(0)));
  }

  memory(linear: Value, width: Width, kind: number): Place {
    const address = this.translate(linear, width / 8, kind);
    return {
      width,
      get: () => loadWidth(address, width),
      set: (v) => {
        this.f.do(storeWidth(address, v, width));
        this.commit(address);
      },
    };
  }

  /** After a store: what was staged in the bounce buffer takes effect; it may ask to leave after this instruction. */
  commit(address: Value): void {
    this.f.if(w.ltU(address, w.i32(BOUNCE_END)), () => {
      if (this.endsBlock) this.f.set(this.asked, this.call('commit'));
      else this.f.if(this.call('commit'), () => this.f.return(w.i32(Exit.after)));
    });
  }

  /** In a handler that ends a block, when all is done but the going on: leaves if the write asked for it. */
  leaveIfAsked(linear: Value): void {
    this.f.if(this.asked, () => {
      this.f.do(w.store64(this.c, linear, L.SLOW_ADDRESS));
      this.exit(w.i32(Exit.stop));
    });
  }

  /** A vector-indexed address (VSIB), without the index: base + displacement, the register of indices, log2 of the scale (i64). */
  vsib(): { readonly base: Value; readonly index: VectorPlace; readonly scale: Value } {
    const base = w.add(w.load64(w.add(this.c, w.load8u(this.pc, REC_BASE))), this.disp());
    const index = new VectorPlace(this.let(w.add(this.c, w.shl(w.load8u(this.pc, REC_INDEX), w.i32(2)))), L.VECTORS, false);
    return { base, index, scale: w.unsigned64(w.shrU(w.load16u(this.pc, REC_WHERE), w.i32(12))) };
  }

  /** Vector operand n, of which `bytes` are accessed when it is in memory. */
  vector(n: number, bytes: number, use: 'read' | 'write' | 'modify', aligned: boolean): VectorPlace {
    if (!this.isMemory(n)) {
      const kind = this.operands[n]![0]!;
      // MMX registers are significands of x87 registers, whose numbers do not rotate: SDM Vol. 1, 9.2.1.
      const mmx = kind === 'P' || kind === 'Q';
      const slot = w.shl(this.registerField(n), w.i32(mmx ? 1 : 2));
      return new VectorPlace(this.let(w.add(this.c, slot)), mmx ? L.FPR : L.VECTORS, false);
    }
    const ea = this.let(this.effectiveAddress());
    if (aligned) this.raiseIf(w.wrap(w.and(ea, w.i64(bytes - 1))), 13);
    return new VectorPlace(this.translate(ea, bytes, AccessKind[use]), 0, true);
  }

  /** #UD and #NM of SSE instructions: SDM Vol. 3, table 2-2 and Vol. 2, table 2-21. */
  requireSse(): void {
    this.raiseIf(w.or(w.and(w.load32(this.c, L.CR0), w.i32(CR0.EM)), w.eqz(w.and(w.load32(this.c, L.CR4), w.i32(CR4.OSFXSR)))), 6);
    this.raiseIf(w.and(w.load32(this.c, L.CR0), w.i32(CR0.TS)), 7);
  }

  /** #UD and #NM of VEX instructions on vectors: SDM Vol. 1, 14.3; Vol. 2, table 2-17. They do not exist in real and virtual-8086 mode. */
  requireAvx(): void {
    this.raiseIf(avxMissing(this.c), 6);
    this.raiseIf(w.and(w.load32(this.c, L.CR0), w.i32(CR0.TS)), 7);
  }

  /** VEX instructions on general registers (BMI) need protected mode only: SDM Vol. 2, table 2-30. */
  requireProtected(): void {
    this.raiseIf(w.or(w.eqz(w.and(w.load32(this.c, L.CR0), w.i32(CR0.PE))), w.and(w.load32(this.c, L.SYSFLAGS), w.i32(Flag.VM))), 6);
  }

  // ---- segments, for what is not flat

  /** Base of the segment that an address record names, and the end of what may be read or written in it. */
  segmentBase(): Value {
    return w.load64(w.add(this.c, w.and(this.imm32(), w.i32(0xffff))));
  }
  segmentEnd(): Value {
    return w.load64(w.add(this.c, w.shrU(this.imm32(), w.i32(16))));
  }
  /** Segment n's base, limits and D/B bit (nonzero when set). */
  base(segment: number): Value {
    return w.load64(this.c, L.SEGMENTS + segment * L.SEGMENT_SIZE + L.SEG_BASE);
  }
  end(segment: number, write: boolean): Value {
    return w.load64(this.c, L.SEGMENTS + segment * L.SEGMENT_SIZE + (write ? L.SEG_WRITE_END : L.SEG_READ_END));
  }
  limit(segment: number): Value {
    return w.load32u64(this.c, L.SEGMENTS + segment * L.SEGMENT_SIZE + L.SEG_LIMIT);
  }
  big(segment: number): Value {
    return w.and(w.load32(this.c, L.SEGMENTS + segment * L.SEGMENT_SIZE + L.SEG_ATTR), w.i32(0x4000));
  }
  /** The fast check failed for the offset: the exact one, which may fault. `what`: size, 0x100 for a write, segment << 16; 0: as the record says. */
  checkSegment(offset: Value, what: number | Value): void {
    this.f.do(w.store64(this.c, offset, L.SLOW_ADDRESS));
    this.f.do(w.store32(this.c, typeof what === 'number' ? w.i32(what) : what, L.SLOT_TEMP));
    this.f.if(this.call('segment'), () => this.f.return(w.i32(Exit.fault)));
  }

  // ---- flags

  override setFlags(result: Value, aux: Value, flg: Value, known?: KnownFlags): void {
    this.#known = known;
    super.setFlags(result, aux, flg);
  }

  /** CF alone changes. OF = CF ^ sign(AUX), so AUX's sign follows CF. */
  setCarry(cf: Value): void {
    const old = this.let(this.cf());
    const carry = this.let(cf);
    const flip = w.shl(w.unsigned64(w.xor(old, carry)), w.i64(63));
    this.setFlags(this.res, w.xor(this.aux, flip), w.or(w.and(this.flg, w.i32(-2)), carry));
  }
  /** CF and OF change, as they do in rotates. */
  setCarryAndOverflow(cf: Value, of: Value): void {
    const carry = this.let(cf);
    const sign = w.shl(w.unsigned64(w.xor(carry, of)), w.i64(63));
    const aux = w.or(w.and(this.aux, w.i64((1n << 63n) - 1n)), sign);
    this.setFlags(this.res, aux, w.or(w.and(this.flg, w.i32(-2)), carry));
  }

  /** Condition 0..15 (o no b ae e ne be a s ns p np l ge le g): SDM Vol. 1, appendix B. */
  condition(cc: number): Value {
    return (this.#known && knownCondition(this.#known, cc)) ?? this.#storedCondition(cc);
  }

  #storedCondition(cc: number): Value {
    const base = [
      () => this.of(),
      () => this.cf(),
      () => this.zf(),
      () => w.or(this.cf(), this.zf()),
      () => this.sf(),
      () => this.pf(),
      () => w.xor(this.sf(), this.of()),
      () => w.or(this.zf(), w.xor(this.sf(), this.of())),
    ][cc >> 1]!();
    return cc & 1 ? w.eqz(base) : base;
  }

  // ---- control flow

  /** Goes on with the next record inside one handler. */
  nextRecord(): void {
    this.f.set(this.pc, w.add(this.pc, w.i32(RECORD_SIZE)));
  }

  /** Linear address of the page being executed plus an offset. */
  codeAddress(offset: Value): Value {
    return w.add(w.load64(this.c, L.SLOT_CODE_PAGE), offset);
  }

  /** Takes the direct branch of the record, whose target's linear address `linear` computes where it is asked for. */
  branch(linear: () => Value): void {
    if (this.variant !== 'near') {
      this.jump(linear());
      return;
    }
    const record = this.let(w.load32(this.pc, REC_IMM));
    this.f.if(w.eqz(record), () => {
      this.f.set(record, this.call('link'));
      this.f.if(w.eqz(record), () => this.f.return(w.i32(Exit.stop)));
    });
    this.goTo(record);
  }

  /** Goes on with the record that follows, which begins a block. */
  next(): void {
    this.goTo(w.add(this.pc, w.i32(RECORD_SIZE)));
  }

  /** Executes the record once more: the next iteration of a string instruction. */
  again(): void {
    this.goTo(this.pc);
  }

  takeCount(): void {
    this.f.set(this.left, w.sub(this.left, this.count()));
  }

  /** Goes on at a linear address. */
  jump(linear: Value): void {
    this.f.set(this.target, linear);
    this.f.set(this.pc, w.i32(0));
    this.f.br(this.dispatchLabel);
    this.ended = true;
  }

  /** A fault was delivered: goes on in its handler. What ran was perhaps an exact block, whose floor is lower. */
  goToHandler(): void {
    this.f.set(this.left, w.load32(this.c, L.LEFT));
    this.f.set(this.floor, w.i32(BUDGET_FLOOR));
    this.jump(w.load64(this.c, L.SLOW_ADDRESS));
  }

  /** As `jump`, for a target that was computed: tier 1 expects the next one to be the same. */
  jumpIndirect(linear: Value): void {
    const slot = w.and(w.shrU(this.pc, w.i32(1)), w.i32((INDIRECT_TARGET_COUNT - 1) << 3));
    this.f.do(w.store64(slot, linear, INDIRECT_TARGETS));
    this.jump(linear);
  }

  /** Goes on at a record. */
  goTo(record: Value): void {
    this.f.set(this.pc, record);
    this.f.br(this.enterLabel);
    this.ended = true;
  }
}

/** Nonzero where VEX instructions on vectors are #UD: real or virtual-8086 mode, CR4.OSXSAVE or XCR0's SSE and AVX bits clear. */
export function avxMissing(c: Value): Value {
  const clear = (offset: number, mask: number): Value => w.xor(w.and(w.load32(c, offset), w.i32(mask)), w.i32(mask));
  const missing = w.or(w.or(clear(L.CR0, CR0.PE), clear(L.CR4, CR4.OSXSAVE)), clear(L.XCR0, 6));
  return w.or(missing, w.and(w.load32(c, L.SYSFLAGS), w.i32(Flag.VM)));
}

export function mask(v: Value, width: Width): Value {
  return width === 8 ? w.and(v, w.i32(0xff)) : width === 16 ? w.and(v, w.i32(0xffff)) : v;
}

/** An i32 or i64 of a width, sign-extended to i64. */
export function signExtend(v: Value, width: Width): Value {
  if (width === 64) return v;
  return w.signed64(width === 8 ? w.extend8(v) : width === 16 ? w.extend16(v) : v);
}

export function loadWidth(address: Value, width: Width, offset = 0): Value {
  return (width === 8 ? w.load8u : width === 16 ? w.load16u : width === 32 ? w.load32 : w.load64)(address, offset);
}

export function storeWidth(address: Value, v: Value, width: Width, offset = 0): w.Code {
  return (width === 8 ? w.store8 : width === 16 ? w.store16 : width === 32 ? w.store32 : w.store64)(address, v, offset);
}

/** A 32-bit register write clears the upper half. */
export function storeRegister(address: Value, v: Value, width: Width, offset = 0): w.Code {
  return width === 32 ? w.store64(address, w.unsigned64(v), offset) : storeWidth(address, v, width, offset);
}
