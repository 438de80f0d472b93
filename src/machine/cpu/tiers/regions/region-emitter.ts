import { TLB_ENTRIES, RECORD_SIZE } from '../../../memory/layout.ts';
import type { LinearMemory } from '../../../memory/linear-memory.ts';
import * as L from '../../layout.ts';
import type { FunctionBuilder, Hole, Local } from '../../wasm/function.ts';
import type { Code, Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import type { ImportName, Place, Width } from '../emitter.ts';
import { AccessKind, Emitter, mask } from '../emitter.ts';
import type { KnownFlags } from '../known-flags.ts';
import { knownCondition } from '../known-flags.ts';
import { operandField, REC_A, REC_B, REC_BASE, REC_DISP, REC_IMM, REC_INDEX, REC_WHERE, RecordClass } from '../record.ts';
import { Special } from '../specials.ts';
import type { FlagState } from './flags.ts';
import { RegionFlags } from './flags.ts';
import type { RegionBlock, Target } from './graph.ts';
import { Registers } from './registers.ts';
import { plainHandler } from './terminators.ts';

/** The functions that regions import, in order. */
export const regionImports = ['helper', 'ram'] as const satisfies readonly ImportName[];
export type RegionImport = (typeof regionImports)[number];

/** A transfer between two blocks of the region: its hole is filled when the blocks have been placed. */
export interface Edge {
  readonly to: RegionBlock;
  readonly hole: Hole;
  readonly state: FlagState;
}

/** A block as code: its edges and exits are holes. */
export interface BlockCode {
  readonly block: RegionBlock;
  readonly code: Code;
  readonly edges: readonly Edge[];
  readonly exits: readonly Hole[];
  /** The state of the flags that it was emitted for; whether it read them when nothing was known. */
  readonly entry: FlagState;
  readonly readsUnknown: boolean;
}

/** An instruction that would leave after it has changed something: it stays in tier 0. */
export class CannotCompile extends Error {
  readonly record: number;
  constructor(record: number) {
    super(`record ${record} leaves after a change`);
    this.record = record;
  }
}

/**
 * Tier 1's emitter: record fields are constants, registers and flags are locals. What the fast paths do not do is left to
 * tier 0: the region is left before the instruction, with everything as it was, and tier 0 executes it.
 */
export class RegionEmitter extends Emitter {
  readonly #m: LinearMemory;
  readonly #callsRam: boolean;
  /** 1: the region is left because of a memory access. */
  readonly missed: Local;
  readonly registers: Registers;
  readonly flags: RegionFlags;
  /** Where the region goes on after it: a record and its page's distance; or record 0 and the linear address in `target`. */
  readonly exitRecord: Local;
  readonly exitDelta: Local;
  /** Address of the TLB half in use. */
  readonly tlb: Local;
  usesTlb = false;
  /** CR0, CR4 allow SSE: looked at once, on entry. */
  usesSse = false;
  /** The same for VEX: CR0, CR4, XCR0, RFLAGS.VM. */
  usesAvx = false;
  #record = 0;
  /** First record of the instruction: it may begin with the one that computes its address. */
  #start = 0;
  #block!: RegionBlock;
  #state: FlagState = 'unknown';
  #readsUnknown = false;
  /** The instruction has changed a register or a flag. */
  #changed = false;
  /** After a record that computes an address: the instruction's own record follows. */
  #inside = false;
  readonly #stores: (number | Code)[][] = [];
  readonly #loads: (number | Code)[][] = [];
  #edges: Edge[] = [];
  #exits: Hole[] = [];

  /** @param callsRam a TLB miss that is plain RAM does not leave the region. The calls make all code of a loop slower by a fifth. */
  constructor(f: FunctionBuilder, m: LinearMemory, callsRam: boolean) {
    super(f);
    this.#m = m;
    this.#callsRam = callsRam;
    this.missed = f.local('i32');
    this.registers = new Registers(f);
    this.flags = new RegionFlags(f);
    this.exitRecord = f.local('i32');
    this.exitDelta = f.local('i32');
    this.tlb = f.local('i32');
  }

  /** Emits a block. `loops`: it is the head of a loop, where the budget is looked at. */
  emitBlock(block: RegionBlock, entry: FlagState, loops: boolean, op: (record: number) => number): BlockCode {
    this.#block = block;
    this.#state = entry;
    this.#readsUnknown = false;
    this.#edges = [];
    this.#exits = [];
    const code = this.f.fragment(() => {
      this.#begin(block.record);
      if (loops) this.f.if(w.ltS(this.left, this.floor), () => this.leave());
      for (let r = block.record; block.leaves !== r && r <= block.last; r += RECORD_SIZE) this.#instruction(r, op(r));
      if (block.leaves !== 0) {
        if (!this.#inside) this.#begin(block.leaves);
        this.leave();
      }
    });
    return { block, code, edges: this.#edges, exits: this.#exits, entry, readsUnknown: this.#readsUnknown };
  }

  get endState(): FlagState {
    return this.#state;
  }

  #instruction(record: number, op: number): void {
    if (this.#inside) this.#record = record;
    else this.#begin(record);
    if (op === Special.next || op === Special.joined) {
      this.takeCount();
      this.#go(this.#block.next!);
      return;
    }
    if (op === Special.helper) {
      this.f.scope(() => this.#helper());
      return;
    }
    const handler = plainHandler(op);
    this.#inside = handler.class === RecordClass.micro;
    this.f.scope(() => {
      this.begin();
      handler.configure(this);
      handler.emit(this);
    });
  }

  /** An instruction written in TypeScript: the state is in the CPU block while it runs. */
  #helper(): void {
    const { f } = this;
    this.takeCount();
    this.#stores.push(f.hole().code);
    f.do(w.store64(this.c, this.codeAddress(w.i64(0)), L.SLOT_CODE_PAGE));
    const code = this.let(this.#callOut('helper'));
    f.if(code, () => f.return(w.sub(w.i32(0), code)));
    this.#loads.push(f.hole().code);
    this.#state = 'stored';
    const next = this.#block.next!;
    const linear = this.let(w.load64(this.c, L.SLOW_ADDRESS));
    f.if(w.ne(linear, this.#inPage(this.#offsetOf(next))), () => this.#leaveFor(linear));
    this.#go(next);
  }

  #callOut(name: RegionImport, ...args: Value[]): Value {
    return this.f.call(regionImports.indexOf(name), [this.c, w.i32(this.#record), this.left, ...args]);
  }

  /** Distance of a target from the head's page. */
  #offsetOf(target: Target): number {
    if (target.kind === 'offset') return target.offset;
    const [record, delta] = target.kind === 'record' ? [target.record, target.delta] : [target.block.record, target.block.delta];
    return delta + (this.#m.u16[(record + REC_WHERE) >> 1]! & 0xfff);
  }

  /** When all registers are known that the region uses: what is stored before helpers and loaded after them. */
  fillHelpers(): void {
    const { f } = this;
    if (this.#stores.length === 0) return;
    const store = f.fragment(() => {
      this.registers.store(this.c);
      this.flags.write(this.c);
    });
    const load = f.fragment(() => {
      this.registers.load(this.c);
      f.set(this.flags.operation, w.i32(0));
      this.flags.load(this.c);
      if (this.usesTlb) f.set(this.tlb, w.load32(this.c, L.TLB));
    });
    for (const hole of this.#stores) hole.push(store);
    for (const hole of this.#loads) hole.push(load);
  }

  #begin(record: number): void {
    this.#record = record;
    this.#start = record;
    this.#changed = false;
    this.#inside = false;
  }

  // ---- leaving

  /** Leaves before the current instruction: tier 0 executes it. */
  leave(): void {
    if (this.#changed) throw new CannotCompile(this.#start);
    this.#leaveTo(this.#start, this.#block.delta);
  }

  #leaveTo(record: number, delta: number): void {
    this.f.set(this.exitRecord, w.i32(record));
    this.f.set(this.exitDelta, w.i32(delta));
    this.#exits.push(this.f.hole());
  }

  #leaveFor(linear: Value): void {
    this.f.set(this.target, linear);
    this.f.set(this.exitRecord, w.i32(0));
    this.#exits.push(this.f.hole());
  }

  #go(target: Target): void {
    if (target.kind === 'block') this.#edges.push({ to: target.block, hole: this.f.hole(), state: this.#state });
    else if (target.kind === 'record') this.#leaveTo(target.record, target.delta);
    else this.#leaveFor(this.#inPage(target.offset));
    this.ended = true;
  }

  /** A linear address at an offset from the head's page. */
  #inPage(offset: number): Value {
    const sum = offset === 0 ? this.registers.page : w.add(this.registers.page, w.i64(offset));
    return this.legacy ? w.and(sum, w.i64(0xffff_ffffn)) : sum;
  }

  override call(): Value {
    this.leave();
    return w.i32(0);
  }
  override raise(): void {
    this.leave();
  }
  override exact(): void {
    this.leave();
  }
  override checkSegment(): void {
    this.leave();
  }
  override commit(): void {
    // Only the slow path stages writes.
  }
  override leaveIfAsked(): void {
    // Nothing asks inside a region.
  }
  override requireSse(): void {
    this.usesSse = true;
  }
  override requireAvx(): void {
    this.usesAvx = true;
  }

  // ---- record fields

  #i32(field: number): number {
    return this.#m.i32[(this.#record + field) >> 2]!;
  }
  #u8(field: number): number {
    return this.#m.u8[this.#record + field]!;
  }
  override disp(): Value {
    return w.i64(this.#i32(REC_DISP));
  }
  override imm32(): Value {
    return w.i32(this.#i32(REC_IMM));
  }
  override imm(width: Width): Value {
    return width === 64 ? w.i64(this.#i32(REC_IMM)) : mask(this.imm32(), width);
  }
  override imm64(): Value {
    return w.i64((BigInt(this.#i32(REC_IMM)) << 32n) | BigInt(this.#i32(REC_DISP) >>> 0));
  }
  override immByte(): Value {
    return w.i32(this.#u8(REC_IMM));
  }
  override get knownImmByte(): number | undefined {
    return this.#u8(REC_IMM);
  }
  override registerField(n: number): Value {
    return w.i32(this.#u8(operandField(this.operands, n)));
  }
  override accessBytes(): Value {
    return w.i32(this.#u8(REC_A));
  }
  override elementIndex(): Value {
    return this.register(this.#u8(REC_B), 64).get();
  }
  override here(): Value {
    return this.codeAddress(w.i64(this.#m.u16[(this.#record + REC_WHERE) >> 1]! & 0xfff));
  }
  override count(): Value {
    return w.i32(this.#u8(REC_B));
  }
  override segmentBase(): Value {
    return this.#slot(this.#i32(REC_IMM) & 0xffff);
  }
  override segmentEnd(): Value {
    return w.load64(this.c, this.#i32(REC_IMM) >>> 16);
  }
  #slot(offset: number): Value {
    return offset === L.SLOT_ZERO ? w.i64(0) : w.load64(this.c, offset);
  }

  // ---- registers and memory

  override register(offset: Value | number, width: Width): Place {
    const at = typeof offset === 'number' ? offset : offset.constant;
    if (typeof at !== 'number') throw new Error('a register that is not known when its instruction is compiled');
    const place = this.registers.place(at, width, this.#block.delta);
    return {
      width,
      get: () => place.get(),
      set: (v) => {
        // The address of a segmented operand is no register of the guest.
        if (at !== L.SLOT_EA) this.#changed = true;
        place.set(v);
      },
    };
  }

  override effectiveAddress(): Value {
    const disp = this.#i32(REC_DISP);
    const base = this.#u8(REC_BASE);
    const index = this.form === 'mx' ? this.#u8(REC_INDEX) : L.SLOT_ZERO;
    const terms: Value[] = [];
    if (base === L.SLOT_CODE_PAGE) return this.#addTo(w.add(this.registers.page, w.i64(this.#block.delta + disp)), index);
    if (base !== L.SLOT_ZERO) terms.push(this.registers.place(base, 64, 0).get());
    if (disp !== 0) terms.push(w.i64(disp));
    const sum = terms.length === 2 ? w.add(terms[0]!, terms[1]!) : terms[0];
    return sum ? this.#addTo(sum, index) : index === L.SLOT_ZERO ? w.i64(0) : this.#index(index);
  }
  #addTo(sum: Value, index: number): Value {
    return index === L.SLOT_ZERO ? sum : w.add(sum, this.#index(index));
  }
  #index(index: number): Value {
    const scale = this.#m.u16[(this.#record + REC_WHERE) >> 1]! >> 12;
    const value = this.registers.place(index, 64, 0).get();
    return scale === 0 ? value : w.shl(value, w.i64(scale));
  }

  override translate(linear: Value, bytes: number, kind: number): Local {
    this.usesTlb = true;
    const { f } = this;
    const ea = this.let(linear);
    const entry = this.let(w.add(this.tlb, w.and(w.wrap(w.shrU(ea, w.i64(7))), w.i32((TLB_ENTRIES - 1) << 5))));
    const last = bytes === 1 ? ea : w.add(ea, w.i64(bytes - 1));
    const tag = w.load64(entry, (kind & 3) === AccessKind.read ? 0 : 8);
    const hit = w.eq(tag, w.and(last, w.i64(-4096)));
    const found = w.add(w.load32(entry, 28), w.wrap(ea));
    if (!this.#callsRam) {
      f.if(w.eqz(hit), () => this.#miss());
      return this.let(found);
    }
    const address = f.temp('i32');
    f.if(
      hit,
      () => f.set(address, found),
      () => {
        f.do(w.store64(this.c, ea, L.SLOW_ADDRESS));
        f.set(address, this.#callOut('ram', w.i32(bytes | (kind << 8))));
        f.if(w.eqz(address), () => this.#miss());
      },
    );
    return address;
  }
  #miss(): void {
    this.f.set(this.missed, w.i32(1));
    this.leave();
  }

  // ---- flags

  override setFlags(result: Value, aux: Value, flg: Value, known?: KnownFlags): void {
    this.#changed = true;
    this.#state = this.flags.set(result, aux, flg, known?.kind === 'result' ? undefined : known);
  }
  /** Reading flags of which nothing is known here: the blocks before will have stored them. */
  #known(): FlagState {
    if (this.#state === 'unknown') {
      this.#readsUnknown = true;
      this.#state = 'stored';
    }
    return this.#state;
  }
  override get res(): Value {
    return this.flags.res(this.#known());
  }
  override get aux(): Value {
    return this.flags.aux(this.#known());
  }
  override get flg(): Value {
    return this.flags.flg(this.#known());
  }
  override condition(cc: number): Value {
    const known = this.flags.known(this.#known());
    return (known && knownCondition(known, cc)) ?? super.condition(cc);
  }
  override when(count: Value, body: () => void): void {
    if (count.constant !== undefined) {
      if (count.constant !== 0) body();
      return;
    }
    this.flags.store(this.#known());
    this.#state = 'stored';
    this.f.if(count, () => {
      body();
      this.flags.store(this.#state);
    });
    this.#state = 'stored';
  }

  // ---- control flow

  override codeAddress(offset: Value): Value {
    if (typeof offset.constant !== 'bigint') return w.add(w.add(this.registers.page, w.i64(this.#block.delta)), offset);
    return w.add(this.registers.page, w.i64(this.#block.delta + Number(offset.constant)));
  }
  override takeCount(): void {
    this.f.set(this.left, w.sub(this.left, this.count()));
  }
  override branch(): void {
    this.#go(this.#block.taken!);
  }
  override next(): void {
    this.#go(this.#block.next!);
  }
  override again(): void {
    throw new Error('string instructions are not compiled');
  }
  override goTo(): void {
    throw new Error('a region goes to its own blocks only');
  }
  override jumpIndirect(linear: Value): void {
    this.jump(linear);
  }
  /** An indirect jump: to one of the likely targets, else out of the region. */
  override jump(linear: Value): void {
    const to = this.let(linear);
    for (const { offset, block } of this.#block.guesses) {
      this.f.if(w.eq(to, this.#inPage(offset)), () => this.#go({ kind: 'block', block }));
    }
    this.#leaveFor(to);
    this.ended = true;
  }
}
