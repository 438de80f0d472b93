import { CPU_BLOCKS, CPU_BLOCK_SIZE, FORCED, LEAVE, OBSERVED, RECORD_CLASSES, RECORD_SIZE, RESUMED, RUN_END, WATCHED } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import type { MachineServices } from '../machine-services.ts';
import type { Probe } from '../probe.ts';
import type { StopReason } from '../stop.ts';
import { BlockFinder, linearRip, ripOf } from './block-finder.ts';
import { afterSingleStep, boundary, calls, instructionBreakpoint, isRunnable, needsSingleStep, shadowOf } from './boundary.ts';
import { dropNoted, trapNoted } from './breakpoint-registers.ts';
import type { Cpu } from './cpu.ts';
import { Flag } from './cpu.ts';
import { selectTlb } from './mmu/tlb.ts';
import { ABANDONED, GuestFault } from './fault.ts';
import type { GuestEvent } from './fault.ts';
import type { HelperTable } from './helper.ts';
import { divide128 } from './divide.ts';
import type { Insn } from './isa/insn.ts';
import * as L from './layout.ts';
import { AccessKind, commitBounce, FAULT_ABANDONED, ramAt, slowAccessAt } from './mmu/slow-path.ts';
import { SEG_BASE, SEG_WRITE_END, SEGMENT_SIZE, SEGMENTS } from './layout.ts';
import { resumeCounters } from './perfmon/counters.ts';
import { unfinished } from './repetition.ts';
import type { RunnerClient } from './runner-client.ts';
import { copySlot, setHalves, setRipToSlowAddress, setSlowAddress } from './slots.ts';
import { executeX87 } from './x87/index.ts';
import { runExact } from './semantics/float/exact.ts';
import { deliverEvent } from './system/deliver.ts';
import type { PortSize } from './system/io.ts';
import { linearOf } from './system/operands.ts';
import { handlerClass, handlers, recordClasses } from './tiers/handlers.ts';
import type { RunFunction } from './tiers/interpreter.ts';
import { instantiateInterpreter } from './tiers/interpreter.ts';
import { BUDGET_FLOOR, Exit, MAX_BLOCK, REC_A, REC_B, REC_BASE, REC_DISP, REC_IMM, REC_WHERE, RecordClass } from './tiers/record.ts';
import { publishReservedBits } from './mmu/walk.ts';
import { withQuick } from './quick/module.ts';
import { Special } from './tiers/specials.ts';
import type { Accel } from './tiers/regions/cache.ts';
import { defaultAccel, RegionCache } from './tiers/regions/cache.ts';
import { Units } from './tiers/units.ts';
import { branchInitializesBounds, initBounds } from './mpx/state.ts';
import { MARK_BREAKPOINT, MARK_LEGACY_BRANCH, reportTransfer, Transfer } from './transfers.ts';

/** FAULT_VECTOR when the access hit a watchpoint: nothing happened yet, the instruction is to be executed alone. */
const FAULT_WATCH = 0xffff_fffe;

const softwareInterrupts = new Set(['int_n', 'int3', 'into', 'int1']);

/** Not a record: emitted code is not running, or is between two blocks. */
const OUTSIDE = 0;
const BETWEEN = 1;

/** No budget that can be left. */
const NEVER = -0x8000_0000;

/** Does the probe want to hear of what quick ways do? They tell nobody; all else is reported by TypeScript. */
const seesQuickWays = (probe: Probe | null): boolean => (probe?.branch ?? probe?.interrupt ?? probe?.port) !== undefined;

/** Runs CPUs: emitted code, the helpers it calls, and what happens between instructions. */
export class Runner {
  readonly finder: BlockFinder;
  /** Tier 1. */
  readonly regions: RegionCache;
  readonly #m: LinearMemory;
  readonly #services: MachineServices;
  readonly #helpers: HelperTable;
  readonly #client: RunnerClient;
  readonly #run: RunFunction;
  /** The CPU gave up the rest of its turn. */
  yielded = false;
  /** A deadline came nearer: how far the slice goes is to be asked again. */
  #shortened = false;
  /** Set to end the slice: a stop was asked for. */
  stop = false;
  /** By CPU: the count of retired instructions at which a stop was reported, so that resuming goes on from there. */
  readonly #reported: bigint[] = [];
  /** Breakpoint marks are passed over: a debugger's step. */
  #stepping = false;
  /** Ticks done in this slice before the current call of emitted code, that call's budget, and where it last called out. */
  #done = 0;
  #budget = 0;
  #calloutRecord = OUTSIDE;
  #calloutLeft = 0;
  /** A single instruction is executed exactly: watchpoints are noted, not avoided. */
  #exact = false;
  /** The next instruction, or the one that is executed alone, is a branch that initializes the bound registers (MPX). */
  #initializes = false;
  /** The instruction executed alone ended in an event: no trap follows it. */
  #eventDelivered = false;

  /** @param accel what tier 1 may do; tier 0 alone gives the same results */
  constructor(m: LinearMemory, services: MachineServices, helpers: HelperTable, client: RunnerClient, accel: Partial<Accel> = {}) {
    this.#m = m;
    this.#services = services;
    this.#helpers = helpers;
    this.#client = client;
    const { functions, quick } = withQuick(m, {
      slow: (c, record, left, info) => this.#slow(this.#cpu(c), record!, left!, info!),
      commit: (c, record, left) => this.#commit(this.#cpu(c), record!, left!),
      enter: (c, _record, left) => this.#enter(this.#cpu(c), left!),
      link: (c, record, left) => this.#link(this.#cpu(c), record!, left!),
      helper: (c, record, left) => this.#helper(this.#cpu(c), record!, left!),
      mark: (c, record, left) => this.#mark(this.#cpu(c), record!, left!),
      divide: (c, record) => divide128(this.#cpu(c), handlers[this.#op(record!)]!.key.startsWith('idiv')),
      segment: (c, record, left) => this.#segment(this.#cpu(c), record!, left!),
      hot: (c, record, left) => this.#hot(this.#cpu(c), record!, left!),
      float: (c, record, left, operation, a, b, x) => this.#float(this.#cpu(c), record!, left!, operation!, a!, b!, x!),
      x87: (c, record, _left, operand) => this.#x87(this.#cpu(c), record!, operand!),
      ram: (c, record, left, info) => this.#ram(this.#cpu(c), record!, left!, info!),
      portIn: (_c, record, left, port) => this.#portIn(record!, left!, port!),
      portOut: (_c, record, left, port, value) => this.#portOut(record!, left!, port!, value!),
    });
    for (const cpu of services.cpus) cpu.quick = quick;
    m.u8.set(recordClasses, RECORD_CLASSES);
    const units = new Units(m, functions);
    this.finder = new BlockFinder(m, services, (unit) => units.load(unit));
    this.regions = new RegionCache(m, this.finder.pages, units.table, functions, { ...defaultAccel, ...accel });
    this.finder.loops = this.regions;
    publishReservedBits(m, services.cpus[0]!.model);
    m.u32[FORCED >> 2] = this.regions.forced ? 1 : 0;
    this.#run = instantiateInterpreter(m, functions, units);
  }

  /** Set to leave emitted code at the end of the current instruction. */
  get leave(): boolean {
    return this.#m.u32[LEAVE >> 2] !== 0;
  }
  set leave(v: boolean) {
    this.#m.u32[LEAVE >> 2] = v ? 1 : 0;
  }

  /** Ticks since the slice began, exact at the instruction that asks: the clock's `elapsed`. */
  elapsed(): number {
    if (this.#calloutRecord === OUTSIDE) return this.#done;
    if (this.#calloutRecord === BETWEEN) return this.#done + this.#budget - this.#calloutLeft;
    return this.#done + this.#budget - this.#calloutLeft + this.#before(this.#calloutRecord);
  }

  /** Instructions and event deliveries of the CPU that runs now, exact at the instruction that asks: for probes. */
  retiredBy(cpu: Cpu): number {
    const at = (cpu.block + L.RETIRED) >> 2;
    return this.#m.u32[at]! + this.#m.u32[at + 1]! * 0x1_0000_0000 + this.elapsed() - this.#done;
  }

  /** Starts or goes on with a slice of which `done` ticks are over: `elapsed` counts from its beginning. */
  beginSlice(done: number): void {
    this.#done = done;
    this.#calloutRecord = OUTSIDE;
    this.yielded = false;
    this.#shortened = false;
  }

  /** Ends the present run at the current instruction; the turn may go on. */
  shorten(): void {
    this.#shortened = true;
    this.leave = true;
  }

  yieldTurn(): void {
    this.yielded = true;
    this.leave = true;
  }

  /** Executes exactly one instruction (or delivers one event), whatever breakpoint stands there. Returns the ticks done. */
  stepCpu(cpu: Cpu): number {
    this.#stepping = true;
    try {
      return this.runCpu(cpu, 1);
    } finally {
      this.#stepping = false;
    }
  }

  /**
   * Runs one CPU for at most `ticks` (an instruction or an event delivery each) in the current slice. Ends early when the
   * CPU halts or `stop` is set. Returns the ticks done.
   */
  runCpu(cpu: Cpu, ticks: number): number {
    const start = this.#done;
    while (this.#done - start < ticks && !this.stop && !this.yielded && !this.#shortened) {
      this.leave = false;
      if (boundary(cpu)) {
        this.#eventTick(cpu);
        continue;
      }
      if (!isRunnable(cpu)) break;
      if (cpu.u32(L.COUNTERS_ASLEEP) !== 0) {
        resumeCounters(cpu);
        continue; // a deadline may have come nearer
      }
      const left = ticks - (this.#done - start);
      const single = needsSingleStep(cpu);
      if (single !== 0) this.#runSingle(cpu, single);
      else if (this.#initializes) this.#runExact(cpu, 1);
      else if (left < BUDGET_FLOOR) this.#runExact(cpu, Math.min(left, MAX_BLOCK));
      else {
        setSlowAddress(cpu);
        this.#enterEmitted(cpu, 0, left, BUDGET_FLOOR);
      }
    }
    return this.#done - start;
  }

  #cpu(block: number | undefined): Cpu {
    return this.#services.cpus[(block! - CPU_BLOCKS) / CPU_BLOCK_SIZE]!;
  }

  #op(record: number): number {
    return this.regions.op(record);
  }

  #tick(cpu: Cpu, n: number): void {
    this.#done += n;
    const { u32 } = this.#m;
    const at = (cpu.block + L.RETIRED) >> 2;
    const low = u32[at]! + n;
    u32[at] = low;
    if (low > 0xffff_ffff) u32[at + 1]!++;
  }

  #eventTick(cpu: Cpu): void {
    this.#tick(cpu, 1);
    this.#notRetired(cpu);
  }

  /** A tick that was no retired instruction. */
  #notRetired(cpu: Cpu): void {
    const { u32 } = this.#m;
    const at = (cpu.block + L.NOT_RETIRED) >> 2;
    if (++u32[at]! === 0x1_0000_0000) u32[at + 1]!++;
  }

  /** Page offset of a record's instruction; the special ones may lie just past the page. */
  #offset(record: number): number {
    const op = this.#op(record);
    return op <= Special.leave ? this.#m.i32[(record + REC_DISP) >> 2]! : this.#m.u16[(record + REC_WHERE) >> 1]! & 0xfff;
  }

  #linear(cpu: Cpu, record: number): bigint {
    return cpu.u64(L.SLOT_CODE_PAGE) + BigInt(this.#offset(record));
  }

  #rip(cpu: Cpu, record: number): bigint {
    return ripOf(cpu, this.#linear(cpu, record));
  }

  /** Instructions of the block before the one at `record`. */
  #before(record: number): number {
    let n = 0;
    for (let r = record - RECORD_SIZE; ; r -= RECORD_SIZE) {
      const recordClass = handlerClass[this.#op(r)]!;
      if (recordClass === RecordClass.end) return n;
      if (recordClass === RecordClass.instruction) n++;
    }
  }

  /** One instruction with what surrounds it: trap flag, debug registers, interrupt shadows. */
  #runSingle(cpu: Cpu, single: number): void {
    if (instructionBreakpoint(cpu)) {
      this.#eventTick(cpu);
      return;
    }
    const shadow = shadowOf(cpu);
    const { rip } = cpu;
    this.#eventDelivered = false;
    this.#runExact(cpu, 1);
    if (!this.#eventDelivered && !this.stop) afterSingleStep(cpu, single, shadow, rip);
  }

  /** Exactly `n` instructions or fewer, through a block made for it. */
  #runExact(cpu: Cpu, n: number): void {
    let record: number;
    setSlowAddress(cpu);
    const low = cpu.u32(L.SLOW_ADDRESS);
    const high = cpu.u32(L.SLOW_ADDRESS + 4);
    this.#initializes = false;
    try {
      setHalves(cpu, L.SLOT_CODE_PAGE, high, low & ~0xfff);
      record = this.finder.exactAt(cpu, high, low, n);
      if (this.stop) return; // an observer recognised what is about to run
    } catch (e) {
      this.#deliver(cpu, e);
      return;
    }
    this.#exact = n === 1;
    this.#enterEmitted(cpu, record, this.finder.instructions, 1);
    this.#exact = false;
  }

  #enterEmitted(cpu: Cpu, record: number, budget: number, floor: number): void {
    this.#budget = budget;
    this.#calloutRecord = OUTSIDE;
    const end = Math.floor(this.#services.clock.now()) + budget;
    this.#m.u32[RUN_END >> 2] = end;
    this.#m.u32[(RUN_END >> 2) + 1] = end / 0x1_0000_0000;
    this.#m.u32[OBSERVED >> 2] = this.#exact || seesQuickWays(this.#services.probe) || this.#client.catchesInstructions() ? 1 : 0;
    this.#m.i32[RESUMED >> 2] = NEVER;
    this.#m.u32[WATCHED >> 2] = this.#client.watchesData() ? 1 : 0;
    const code = this.#run(cpu.block, record, budget, floor);
    this.#calloutRecord = OUTSIDE;
    const left = cpu.u32(L.LEFT) | 0;
    const at = cpu.u32(L.RECORD);
    if (code === Exit.stop) {
      this.#tick(cpu, budget - left);
      setRipToSlowAddress(cpu);
    } else if (code === Exit.budget) {
      this.#tick(cpu, budget - left);
      cpu.rip = this.#rip(cpu, at);
    } else if (code === Exit.after) {
      this.#tick(cpu, budget - left + this.#before(at) + 1);
      cpu.rip = this.#rip(cpu, at + RECORD_SIZE);
    } else if (code === Exit.mark) {
      this.#tick(cpu, budget - left + this.#before(at));
      cpu.rip = this.#rip(cpu, at);
      this.stop ||= !this.#initializes;
    } else this.#fault(cpu, at, budget - left);
    if (this.#exact && this.#initializes) {
      this.#initializes = false;
      if (code !== Exit.fault && code !== Exit.mark) initBounds(cpu);
    }
  }

  /** Emitted code met a fault: the event is delivered, from the state before the instruction. */
  #fault(cpu: Cpu, record: number, done: number): void {
    const vector = cpu.u32(L.FAULT_VECTOR);
    if (record !== 0) done += this.#before(record);
    this.#tick(cpu, done);
    if (vector === FAULT_ABANDONED) {
      dropNoted();
      this.#eventTick(cpu); // a VM exit took place: RIP is the host's
      return;
    }
    if (record !== 0) this.#setRips(cpu, record, 0);
    if (vector === FAULT_WATCH) {
      // The access is noted on its way, which stops the run. With RF set the instruction is executed alone anyway.
      if ((cpu.sysflags & Flag.RF) === 0) this.#runExact(cpu, 1);
      return;
    }
    this.#event(cpu, { vector: vector & 0xff, type: 'hardware', errorCode: vector & 0x100 ? cpu.u32(L.FAULT_CODE) : undefined });
  }

  /** Delivers what a helper or a fetch threw. */
  #deliver(cpu: Cpu, thrown: unknown): void {
    if (thrown instanceof GuestFault) this.#event(cpu, { vector: thrown.vector, type: 'hardware', errorCode: thrown.errorCode });
    else if (thrown === ABANDONED) {
      dropNoted();
      this.#eventTick(cpu);
    } else throw thrown;
  }

  #event(cpu: Cpu, event: GuestEvent): void {
    this.#eventDelivered = true;
    dropNoted();
    this.#eventTick(cpu);
    if (!cpu.guest?.event(cpu, event)) deliverEvent(cpu, event);
  }

  #callout(record: number, left: number): void {
    this.#calloutRecord = record;
    this.#calloutLeft = left;
  }

  #leaveAt(cpu: Cpu, record: number, left: number): void {
    cpu.setU32(L.RECORD, record);
    cpu.setU32(L.LEFT, left);
  }

  #setFault(cpu: Cpu, vector: number, code: number | undefined): void {
    dropNoted();
    cpu.setU32(L.FAULT_VECTOR, vector | (code === undefined ? 0 : 0x100));
    cpu.setU32(L.FAULT_CODE, code ?? 0);
  }

  // ---- what emitted code calls

  #slow(cpu: Cpu, record: number, left: number, info: number): number {
    this.#callout(record, left);
    const size = info & 0xff;
    // A base of RSP or RBP means the stack segment, whose faults are #SS: SDM Vol. 1, 3.7.4.
    const base = this.#m.u8[record + REC_BASE]!;
    const kind = (info >> 8) | (base === L.GPR + 4 * 8 || base === L.GPR + 5 * 8 ? AccessKind.stack : 0);
    if (cpu.guest) cpu.rip = this.#rip(cpu, record);
    if (!this.#exact && this.#client.watches(cpu, cpu.u64(L.SLOW_ADDRESS), size, (kind & 3) !== 0)) {
      cpu.setU32(L.FAULT_VECTOR, FAULT_WATCH);
      this.#leaveAt(cpu, record, left);
      return 0;
    }
    const address = slowAccessAt(cpu, size, kind);
    if (address === 0) this.#leaveAt(cpu, record, left);
    return address;
  }

  #ram(cpu: Cpu, record: number, left: number, info: number): number {
    this.#callout(record, left);
    return ramAt(cpu, info & 0xff, info >> 8);
  }

  #commit(cpu: Cpu, record: number, left: number): number {
    this.#callout(record, left);
    commitBounce(cpu);
    if (!this.leave) return 0;
    this.#leaveAt(cpu, record, left);
    return 1;
  }

  #enter(cpu: Cpu, left: number): number {
    this.#callout(BETWEEN, left);
    try {
      if (cpu.guest) setRipToSlowAddress(cpu);
      const record = this.finder.findAt(cpu, cpu.u32(L.SLOW_ADDRESS + 4), cpu.u32(L.SLOW_ADDRESS));
      if (this.regions.forced && this.finder.pages.isKept(record)) this.regions.force(cpu, cpu.u64(L.SLOW_ADDRESS), record);
      if (!this.stop) return record;
      this.#leaveAt(cpu, 0, left);
      return -Exit.stop;
    } catch (e) {
      if (e !== ABANDONED) setRipToSlowAddress(cpu);
      this.#leaveAt(cpu, 0, left);
      if (e === ABANDONED) cpu.setU32(L.FAULT_VECTOR, FAULT_ABANDONED);
      else if (e instanceof GuestFault) this.#setFault(cpu, e.vector, e.errorCode);
      else throw e;
      return -Exit.fault;
    }
  }

  /** Finds the target of a branch within its page and remembers it in the record. 0: leave and find it from RIP. */
  #link(cpu: Cpu, record: number, left: number): number {
    this.#callout(BETWEEN, left);
    const high = cpu.u32(L.SLOT_CODE_PAGE + 4);
    const low = cpu.u32(L.SLOT_CODE_PAGE) + this.#m.i32[(record + REC_DISP) >> 2]!; // no carry: the branch stays in its page
    cpu.setU32(L.SLOW_ADDRESS, low);
    cpu.setU32(L.SLOW_ADDRESS + 4, high);
    const { flushes } = this.finder.pages.stats;
    try {
      if (cpu.guest) setRipToSlowAddress(cpu);
      const target = this.finder.findAt(cpu, high, low);
      if (flushes === this.finder.pages.stats.flushes && this.finder.pages.isKept(record) && this.finder.pages.isKept(target)) {
        this.#m.i32[(record + REC_IMM) >> 2] = target;
        // A branch back: what it leads to is the head of a loop.
        if (this.regions.forced) this.regions.force(cpu, cpu.u64(L.SLOW_ADDRESS), target);
        else if (this.#m.i32[(record + REC_DISP) >> 2]! <= this.#offset(record)) this.regions.count(cpu, cpu.u64(L.SLOW_ADDRESS), target);
      }
      if (!this.stop) return target;
      this.#leaveAt(cpu, 0, left);
      return 0;
    } catch (e) {
      if (e !== ABANDONED && !(e instanceof GuestFault)) throw e;
      // The fetch faults again, in the open, when RIP is entered. A VM exit already moved RIP.
      if (e === ABANDONED) setSlowAddress(cpu);
      this.#leaveAt(cpu, 0, left);
      return 0;
    }
  }

  #helper(cpu: Cpu, record: number, left: number): number {
    const count = this.#m.u8[record + REC_B]!;
    this.#callout(record, left + count);
    const insn = this.#insn(record);
    this.#setRips(cpu, record, insn?.length ?? 0);
    if (insn !== undefined && this.#report(cpu, this.#client.stopAtInstruction(cpu, insn))) {
      this.#leaveAt(cpu, record, left + count);
      return Exit.mark;
    }
    cpu.ripWritten = false;
    const alignment = cpu.sysflags & Flag.AC;
    try {
      if (insn === undefined) this.#client.firmwareTrap(cpu, this.finder.physicalOfCode(cpu, linearRip(cpu)));
      else this.#execute(cpu, insn);
    } catch (e) {
      return this.#helperThrew(cpu, e, record, left, count);
    }
    if (!cpu.ripWritten && insn) {
      if (unfinished(cpu, insn)) this.#notRetired(cpu);
      else copySlot(cpu, L.NEXT_RIP, L.RIP);
    }
    // INT n and the like clear TF as they are delivered and are not followed by a trap: SDM Vol. 3, 18.3.1.4.
    if (this.#exact && insn !== undefined && softwareInterrupts.has(insn.name)) this.#eventDelivered = true;
    if ((cpu.sysflags & Flag.AC) !== alignment) selectTlb(cpu); // alignment checks have a TLB half of their own
    setSlowAddress(cpu);
    trapNoted(cpu);
    if (this.leave || needsSingleStep(cpu) !== 0 || cpu.activity !== 0 || calls(cpu)) {
      this.#leaveAt(cpu, record, left);
      return Exit.stop;
    }
    return 0;
  }

  #helperThrew(cpu: Cpu, e: unknown, record: number, left: number, count: number): number {
    if (e instanceof GuestFault) {
      this.#setRips(cpu, record, 0);
      this.#setFault(cpu, e.vector, e.errorCode);
      this.#leaveAt(cpu, record, left + count);
      return Exit.fault;
    }
    if (e !== ABANDONED) throw e;
    dropNoted();
    this.#eventDelivered = true;
    setSlowAddress(cpu);
    this.#leaveAt(cpu, record, left);
    return Exit.stop;
  }

  /** RIP and NEXT_RIP for the instruction at a record. In 64-bit mode by halves, since this is done for every helper. */
  #setRips(cpu: Cpu, record: number, length: number): void {
    if (!cpu.code64) {
      cpu.rip = this.#rip(cpu, record);
      cpu.nextRip = (cpu.rip + BigInt(length)) & 0xffff_ffffn;
      return;
    }
    const { u32 } = this.#m;
    const slot = cpu.block >> 2;
    const low = u32[slot + (L.SLOT_CODE_PAGE >> 2)]! + this.#offset(record); // no carry: the slot is a page's address
    const high = u32[slot + (L.SLOT_CODE_PAGE >> 2) + 1]!;
    u32[slot + (L.RIP >> 2)] = low;
    u32[slot + (L.RIP >> 2) + 1] = high;
    u32[slot + (L.NEXT_RIP >> 2)] = low + length;
    u32[slot + (L.NEXT_RIP >> 2) + 1] = low + length > 0xffff_ffff ? high + 1 : high;
  }

  /** True when a stop here is news: not while stepping, and not where the last stop was reported. */
  #report(cpu: Cpu, reason: StopReason | undefined): boolean {
    if (reason === undefined || this.#stepping) return false;
    const count = cpu.u64(L.RETIRED) + BigInt(this.elapsed() - this.#done);
    if (this.#reported[cpu.index] === count) return false;
    this.#reported[cpu.index] = count;
    this.#client.stopped(reason);
    return true;
  }

  #insn(record: number): Insn | undefined {
    const n = this.#m.i32[(record + REC_IMM) >> 2]!;
    return n < 0 ? undefined : this.finder.pages.insns[n]!;
  }

  #execute(cpu: Cpu, insn: Insn): void {
    const { guest } = cpu;
    if (guest?.instruction(cpu, insn)) {
      if (cpu.guest === null) this.#exited(cpu);
      return;
    }
    const helper = (insn.run ??= this.#helpers[insn.name]);
    if (!helper) throw new Error(`instruction ${insn.name} has no helper`);
    helper(cpu, insn);
  }

  /** A VM exit took the instruction's place: RIP is the host's, and no trap follows. */
  #exited(cpu: Cpu): void {
    dropNoted();
    cpu.ripWritten = true;
    this.#eventDelivered = true;
  }

  #hot(cpu: Cpu, record: number, left: number): number {
    this.regions.hot(cpu, record, left);
    return 0;
  }

  #float(cpu: Cpu, record: number, left: number, operation: number, a: number, b: number, x: number): number {
    const vector = runExact(cpu, operation, a, b, x);
    if (vector === 0) return 0;
    this.#setFault(cpu, vector, undefined);
    this.#leaveAt(cpu, record, left);
    return Exit.fault;
  }

  /** What emitted code declined to do of an x87 instruction; 1 when it wrote its operand in memory. */
  #x87(cpu: Cpu, record: number, operand: number): number {
    cpu.rip = this.#rip(cpu, record);
    return executeX87(cpu, this.#insn(record)!, operand) ? 1 : 0;
  }

  /** IN of a port | size << 16, which is permitted and nobody observes; and OUT. */
  #portIn(record: number, left: number, port: number): number {
    this.#callout(record, left);
    return this.#services.ports.read(port & 0xffff, (port >> 16) as PortSize) | 0;
  }

  #portOut(record: number, left: number, port: number, value: number): number {
    this.#callout(record, left);
    this.#services.ports.write(port & 0xffff, (port >> 16) as PortSize, value >>> 0);
    return 0;
  }

  #mark(cpu: Cpu, record: number, left: number): number {
    const linear = this.#linear(cpu, record);
    const what = this.#m.u8[record + REC_A]!;
    this.#callout(record, left);
    if ((what & MARK_BREAKPOINT) !== 0 && this.#report(cpu, this.#client.stopAt(cpu, linear))) {
      this.#leaveAt(cpu, record, left);
      return Exit.mark;
    }
    if ((what & MARK_LEGACY_BRANCH) !== 0 && branchInitializesBounds(cpu)) {
      // After the branch, and only if it does not fault: it is executed alone.
      this.#initializes = true;
      if (!this.#exact) {
        this.#leaveAt(cpu, record, left);
        return Exit.mark;
      }
    }
    const transfer = what & ~(MARK_BREAKPOINT | MARK_LEGACY_BRANCH);
    const { probe } = this.#services;
    if (transfer !== Transfer.none && probe?.branch) reportTransfer(cpu, transfer, linear, this.#m.i32[(record + REC_IMM) >> 2]!, probe);
    return 0;
  }

  /** A segment check that the fast limits did not pass: exact, with #GP or #SS. */
  #segment(cpu: Cpu, record: number, left: number): number {
    const offset = cpu.u64(L.SLOW_ADDRESS);
    let info = cpu.u32(L.SLOT_TEMP);
    if (info === 0) {
      const imm = this.#m.u32[(record + REC_IMM) >> 2]!;
      const segment = ((imm & 0xffff) - SEG_BASE - SEGMENTS) / SEGMENT_SIZE;
      const write = (((imm >>> 16) - SEGMENTS) % SEGMENT_SIZE) === SEG_WRITE_END; // prettier-ignore
      info = this.#m.u8[record + REC_A]! | (write ? 0x100 : 0) | (segment << 16);
    }
    try {
      linearOf(cpu, info >> 16, offset, info & 0xff, (info & 0x100) !== 0);
      return 0;
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      this.#setFault(cpu, e.vector, e.errorCode);
      this.#leaveAt(cpu, record, left);
      return 1;
    }
  }
}
