import type { Cpu } from '../../cpu/cpu.ts';
import { Activity, VmxMode } from '../../cpu/cpu.ts';
import type { InterruptSource } from '../../cpu/hooks.ts';
import { APIC_BASE, PENDING, Pending, TSC_ADJUST } from '../../cpu/layout.ts';
import type { Device, Plain } from '../device.ts';
import { checkedState, copyState } from '../state.ts';
import type { ApicBus } from './bus.ts';
import { describeLapic } from './describe.ts';
import { sendIpi } from './icr.ts';
import { ApicError, DeliveryMode, LVT_MASKED, Reg, SVR_ENABLE, isLvt, registerByIndex, resetRegisters } from './registers.ts';
import { LapicTimer } from './timer.ts';
import { hasVector, highestVector, setVector } from './vector-set.ts';

/** The 8259 pair as LINT0 sees it: the vector that INTA would give, and INTA itself. */
export interface ExternalController {
  vector(): number;
  acknowledge(): number;
}

type LapicState = { regs: number[]; lint: boolean[]; errors: number; timer: { start: number; deadline: string; deadlineAt: number } };

/** IA32_APIC_BASE: 11.4.4. */
const GLOBAL_ENABLE = 0x800;
const X2APIC = 0xc00;
const BOOTSTRAP = 0x100;

/**
 * The local APIC of one logical processor: SDM Vol. 3, chapter 11. After every change `#update` recomputes the highest
 * deliverable vector and makes the CPU's Pending.interrupt agree with it, so `pending()` is a field read.
 */
export class Lapic implements Device, InterruptSource {
  readonly name: string;
  readonly cpu: Cpu;
  readonly timer: LapicTimer;
  readonly #bus: ApicBus;
  readonly #external: ExternalController;
  #regs: Uint32Array;
  /** Levels of the LINT0 and LINT1 pins. */
  #lint = [false, false];
  /** Errors since the last write to ESR. */
  #errors = 0;
  /** Highest vector that the IRR holds above the processor priority, -1 for none. */
  #vector = -1;
  #extInt = false;
  /** IA32_APIC_BASE may have changed. */
  onBaseChanged: () => void = () => {};

  constructor(cpu: Cpu, bus: ApicBus, external: ExternalController) {
    this.name = `lapic${cpu.index}`;
    this.cpu = cpu;
    this.#bus = bus;
    this.#external = external;
    this.#regs = resetRegisters(cpu.index);
    this.timer = new LapicTimer(
      `${this.name}.timer`,
      cpu.machine.clock,
      () => this.#regs,
      () => this.#deliverLvt(Reg.LVT_TIMER),
    );
    bus.lapics.push(this);
  }

  /** 8 bits that software can change in xAPIC mode, 32 that it cannot in x2APIC mode: 11.12.5.1. */
  get id(): number {
    return this.x2apic ? this.cpu.index : this.#regs[Reg.ID]! >>> 24;
  }
  get logicalId(): number {
    return this.#regs[Reg.LDR]! >>> 24;
  }
  /** 15 flat, 0 cluster. */
  get destinationModel(): number {
    return this.#regs[Reg.DFR]! >>> 28;
  }
  /** Globally enabled: otherwise no message reaches it and its page is ordinary memory (11.4.3). */
  get onBus(): boolean {
    return (this.cpu.u32(APIC_BASE) & GLOBAL_ENABLE) !== 0;
  }
  get x2apic(): boolean {
    return (this.cpu.u32(APIC_BASE) & X2APIC) === X2APIC;
  }
  get softwareEnabled(): boolean {
    return (this.#regs[Reg.SVR]! & SVR_ENABLE) !== 0;
  }

  // InterruptSource

  pending(): number {
    return this.#vector >= 0 ? this.#vector : this.#extInt ? this.#external.vector() : -1;
  }

  acknowledge(): number {
    const vector = this.#vector;
    if (vector >= 0) {
      setVector(this.#regs, Reg.IRR, vector, false);
      setVector(this.#regs, Reg.ISR, vector, true);
      this.#update();
      return vector;
    }
    // The interrupt went away between the test and the acknowledge: the spurious vector, without an ISR bit (11.9).
    return this.#extInt ? this.#external.acknowledge() : this.#regs[Reg.SVR]! & 0xff;
  }

  endOfInterrupt(): void {
    this.writeRegister(Reg.EOI, 0);
  }

  /** The mask is set as the interrupt is generated: SDM Vol. 3, 11.5.1. */
  performanceInterrupt(): void {
    if (!this.onBus) return;
    this.#deliverLvt(Reg.LVT_PERF);
    this.#regs[Reg.LVT_PERF]! |= LVT_MASKED;
  }

  getCr8(): number {
    return this.#regs[Reg.TPR]! >> 4;
  }

  /** CR8 is TPR bits 7:4 and clears the sub-class: 11.8.6. */
  setCr8(value: number): void {
    this.#regs[Reg.TPR] = (value & 15) << 4;
    this.#update();
  }

  /** SDM Vol. 3, 11.8.3.1. */
  processorPriority(): number {
    const task = this.#regs[Reg.TPR]!;
    const service = Math.max(0, highestVector(this.#regs, Reg.ISR));
    return task >> 4 >= service >> 4 ? task : service & 0xf0;
  }

  // Registers

  readRegister(index: number): number {
    const row = registerByIndex[index];
    if (row === undefined || row.access === 'write') {
      if (row === undefined) this.#error(ApicError.illegalRegister);
      return 0;
    }
    if (index === Reg.PPR) return this.processorPriority();
    if (index === Reg.CURRENT_COUNT) return this.timer.currentCount();
    return this.#regs[index]!;
  }

  writeRegister(index: number, raw: number): void {
    const row = registerByIndex[index];
    if (row === undefined || row.access === 'read') {
      if (row === undefined) this.#error(ApicError.illegalRegister);
      return;
    }
    const mask = index === Reg.ICR_HIGH && this.x2apic ? 0xffff_ffff : row.mask;
    const value = ((raw & mask) | (row.reset & ~mask)) >>> 0;
    if (index === Reg.EOI) this.#endOfInterrupt();
    else if (index === Reg.ESR) this.#latchErrors();
    else if (index === Reg.INITIAL_COUNT) this.timer.load(value);
    else if (index === Reg.DIVIDE) this.timer.setDivider(value);
    else if (isLvt(index)) this.#writeLvt(index, value);
    else {
      this.#regs[index] = value;
      if (index === Reg.ICR_LOW) this.sendIpi();
      else if (index === Reg.SVR && !this.softwareEnabled) this.#maskLvts();
    }
    this.#update();
  }

  sendIpi(): void {
    const high = this.#regs[Reg.ICR_HIGH]!;
    const bad = sendIpi(this, this.#bus, this.#regs[Reg.ICR_LOW]!, this.x2apic ? high : high >>> 24, this.x2apic);
    if (bad) this.#error(ApicError.sendIllegalVector);
  }

  /** A write to the SELF IPI register: 11.12.11. */
  sendSelf(vector: number): void {
    if (vector < 16) this.#error(ApicError.sendIllegalVector);
    else this.receive(DeliveryMode.fixed, vector, false);
  }

  // What comes in

  /** A message from the bus, or from this APIC's own LVT. False when it is not accepted. */
  receive(mode: number, vector: number, level: boolean): boolean {
    if (mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority) return this.#request(vector, level);
    if (mode === DeliveryMode.nmi) this.cpu.raise(Pending.nmi);
    else if (mode === DeliveryMode.init) {
      this.cpu.clear(Pending.sipi);
      this.cpu.raise(Pending.init);
    } else if (mode === DeliveryMode.startUp) this.#startUp(vector);
    else this.cpu.machine.log.once(`${this.name} mode ${mode}`, `${this.name}: interrupt message with delivery mode ${mode} ignored`);
    return true;
  }

  /** Level of LINT0 (the 8259's INTR) or LINT1 (NMI). */
  setLint(pin: 0 | 1, asserted: boolean): void {
    const rising = asserted && !this.#lint[pin];
    this.#lint[pin] = asserted;
    const lvt = this.#regs[Reg.LVT_LINT0 + pin]!;
    // With the APIC globally disabled the pins are INTR and NMI: 11.4.3.
    if (!this.onBus && pin === 1 && rising) this.cpu.raise(Pending.nmi);
    else if (this.onBus && rising && ((lvt >> 8) & 7) !== DeliveryMode.extInt) this.#deliverLvt(Reg.LVT_LINT0 + pin);
    this.#update();
  }

  /**
   * After a write to IA32_APIC_BASE: disabling forgets everything (11.4.3), enabling starts from the reset state, and x2APIC
   * mode goes on from xAPIC mode's.
   */
  apicBaseChanged(): void {
    if (!this.onBus) this.init();
    this.onBaseChanged();
    this.#update();
  }

  /** WRMSR to IA32_TSC_DEADLINE: 11.5.4.1. */
  setTscDeadline(value: bigint): void {
    this.timer.setDeadline(value, Number(value - BigInt.asIntN(64, this.cpu.u64(TSC_ADJUST))));
  }

  // Device

  /** Power-on and RESET: 11.4.7.1. */
  reset(): void {
    this.#lint = [false, false];
    this.init();
  }

  /** After INIT the registers are as after RESET; the pins are outside: 11.4.7.3. */
  init(): void {
    this.#regs = resetRegisters(this.cpu.index);
    this.#errors = 0;
    this.timer.stop();
    this.#update();
  }

  snapshot(): Plain {
    return copyState<LapicState>({ regs: [...this.#regs], lint: this.#lint, errors: this.#errors, timer: this.timer.snapshot() });
  }

  /** Pending bits are in the CPU block and come back with it. */
  restore(state: Plain): void {
    const s = checkedState(this.name, this.snapshot() as LapicState, state);
    this.#regs = Uint32Array.from(s.regs);
    this.#lint = s.lint;
    this.#errors = s.errors;
    this.timer.restore(s.timer);
    this.onBaseChanged();
    this.#recompute();
  }

  describe(): string {
    return describeLapic(this.name, this.#regs, this.timer.currentCount(), this.processorPriority(), this.pending());
  }

  /** The register file, for tools; not to be written. */
  get registers(): Uint32Array {
    return this.#regs;
  }

  #request(vector: number, level: boolean): boolean {
    if (vector < 16) this.#error(ApicError.receivedIllegalVector);
    if (vector < 16 || !this.softwareEnabled) return false; // 11.4.7.2: a disabled APIC accepts only INIT, NMI, SMI and SIPI
    setVector(this.#regs, Reg.IRR, vector, true);
    setVector(this.#regs, Reg.TMR, vector, level);
    this.#update();
    return true;
  }

  /**
   * A SIPI counts only for a processor that waits for it (11.4.7.3), or will as soon as it sees the INIT already sent. In
   * VMX operation it does not: INIT stays blocked in root operation (SDM Vol. 3, 24.8) and SIPIs are lost.
   */
  #startUp(vector: number): void {
    const waits = this.cpu.activity === Activity.waitForSipi;
    const willWait = (this.cpu.pending & Pending.init) !== 0 && this.cpu.vmxMode === VmxMode.off;
    if (!waits && !willWait) return;
    this.cpu.setU32(PENDING, (this.cpu.pending & 0xff_ffff) | (vector << 24));
    this.cpu.raise(Pending.sipi);
  }

  #deliverLvt(index: number): void {
    const lvt = this.#regs[index]!;
    if ((lvt & LVT_MASKED) !== 0) return;
    const pin = index === Reg.LVT_LINT0 || index === Reg.LVT_LINT1;
    const mode = index === Reg.LVT_TIMER || index === Reg.LVT_ERROR ? DeliveryMode.fixed : (lvt >> 8) & 7;
    this.receive(mode, lvt & 0xff, pin && mode === DeliveryMode.fixed && (lvt & 0x8000) !== 0);
  }

  #writeLvt(index: number, value: number): void {
    const forced = this.softwareEnabled ? value : value | LVT_MASKED; // 11.4.7.2
    if (index === Reg.LVT_TIMER) this.timer.setLvt(forced);
    else this.#regs[index] = forced;
  }

  #maskLvts(): void {
    for (let index: number = Reg.LVT_TIMER; index <= Reg.LVT_ERROR; index++) this.#writeLvt(index, this.#regs[index]!);
  }

  #endOfInterrupt(): void {
    const vector = highestVector(this.#regs, Reg.ISR);
    if (vector < 0) return;
    setVector(this.#regs, Reg.ISR, vector, false);
    if (hasVector(this.#regs, Reg.TMR, vector)) this.#bus.onEoi(vector);
  }

  #error(bit: number): void {
    this.#errors |= bit;
    this.#deliverLvt(Reg.LVT_ERROR);
  }

  /** ESR must be written before it is read: the write shows what happened since the write before (11.5.3). */
  #latchErrors(): void {
    this.#regs[Reg.ESR] = this.#errors;
    this.#errors = 0;
  }

  #recompute(): void {
    const requested = this.onBus ? highestVector(this.#regs, Reg.IRR) : -1;
    this.#vector = requested >= 0 && requested >> 4 > this.processorPriority() >> 4 ? requested : -1;
    this.#extInt = this.#lint[0]! && this.#acceptsExtInt();
  }

  /** Through LINT0 programmed as ExtINT (virtual wire), or straight to the bootstrap processor's INTR pin. */
  #acceptsExtInt(): boolean {
    if (!this.onBus) return (this.cpu.u32(APIC_BASE) & BOOTSTRAP) !== 0;
    return (this.#regs[Reg.LVT_LINT0]! & (LVT_MASKED | 0x700)) === DeliveryMode.extInt << 8;
  }

  #update(): void {
    this.#recompute();
    const wanted = this.#vector >= 0 || this.#extInt;
    if (wanted === ((this.cpu.pending & Pending.interrupt) !== 0)) return;
    if (wanted) this.cpu.raise(Pending.interrupt);
    else this.cpu.clear(Pending.interrupt);
  }
}
