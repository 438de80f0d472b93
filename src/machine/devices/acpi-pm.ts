import type { MachineServices } from '../machine-services.ts';
import type { Timer } from '../clock.ts';
import type { PortRange } from '../memory/ports.ts';
import type { Device, Plain } from './device.ts';
import { PM_TIMER_CLOCK } from './frequency.ts';
import { hex } from './hex.ts';
import type { IrqLine } from './irq-line.ts';
import { checkedState, copyState } from './state.ts';

/** Offsets in the block, as on PIIX4 (82371AB data sheet, 7.2); the FADT points at them. */
export const PM1_EVENT = 0;
export const PM1_CONTROL = 4;
export const PM_TIMER = 8;
export const PM_BLOCK_LENGTH = 0x40;

/** PM1 status and enable bits: ACPI 6.4, tables 4.13 and 4.14. */
const PM1 = { timer: 1, powerButton: 0x100, rtc: 0x400, wake: 0x8000 } as const;
const STATUS_BITS = 0x8d31;
const ENABLE_BITS = 0x0521;
/** PM1 control: table 4.15. */
const SCI_EN = 1;
const SLP_EN = 0x2000;
const CONTROL_BITS = 0x1c03;

/** SLP_TYP that the chip takes for soft-off: PIIX4's 000. The DSDT's _S5 package must say the same. */
export const S5_SLEEP_TYPE = 0;

type PmState = { base: number; status: number; enable: number; control: number; apm: number[]; seen: number };

/**
 * The ACPI fixed hardware: PM1 event and control blocks and the power-management timer, at an I/O base that PCI
 * configuration sets, and the APM ports B2h/B3h that switch between legacy and ACPI mode.
 */
export class AcpiPm implements Device {
  readonly name = 'acpi-pm';
  readonly #machine: MachineServices;
  readonly #sci: IrqLine;
  readonly #timer: Timer;
  /** Half the timer's range: the status bit is set when the top bit toggles. */
  readonly #half: number;
  #range: PortRange | undefined;
  #s: PmState = powerOn();

  /** @param timerBits 24, or 32 when the FADT's flag TMR_VAL_EXT says so */
  constructor(machine: MachineServices, sci: IrqLine, timerBits: 24 | 32 = 24) {
    this.#machine = machine;
    this.#half = 2 ** (timerBits - 1);
    this.#sci = sci;
    this.#timer = machine.clock.timer('acpi-pm.overflow', () => this.#settle());
    machine.ports.map({
      name: 'APM control',
      base: 0xb2,
      length: 2,
      read: (port) => this.#s.apm[port & 1]!,
      write: (port, _size, value) => this.#writeApm(port & 1, value & 0xff),
    });
  }

  /** Ticks since power-on, as many bits as the timer has. */
  timerValue(): number {
    return PM_TIMER_CLOCK.ticksAt(this.#machine.clock.now()) % (2 * this.#half);
  }

  /** Moves the block; 0 switches it off. Called by the PCI function that holds PMBASE. */
  setBase(base: number): void {
    this.#s.base = base;
    this.#map();
  }

  /** A person presses the power button. */
  powerButton(): void {
    this.#s.status |= PM1.powerButton;
    this.#settle();
  }

  /** ACPI mode as firmware leaves it. */
  enableAcpi(): void {
    this.#s.control |= SCI_EN;
    this.#settle();
  }

  /** PMBASE is PCI configuration, whose own reset calls `setBase`. */
  reset(): void {
    this.#s = { ...powerOn(), base: this.#s.base, seen: this.#machine.clock.now() };
    this.#settle();
  }

  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    this.#s = checkedState(this.name, this.#s, state);
    this.#map();
  }

  describe(): string {
    const { base, enable, control } = this.#s;
    const mode = (control & SCI_EN) !== 0 ? 'ACPI' : 'legacy';
    return `acpi-pm: base ${hex(base, 4)} status ${hex(this.#status(), 4)} enable ${hex(enable, 4)} control ${hex(control, 4)} (${mode}) timer ${hex(this.timerValue(), 6)}`;
  }

  #map(): void {
    const { base } = this.#s;
    if (this.#range?.base === base) return;
    if (this.#range) this.#machine.ports.unmap(this.#range);
    this.#range = undefined;
    if (base === 0) return;
    const range: PortRange = {
      name: 'ACPI PM',
      base,
      length: PM_BLOCK_LENGTH,
      read: (port, size) => this.#read(port - base, size),
      write: (port, size, value) => this.#write(port - base, size, value),
    };
    try {
      this.#machine.ports.map(range);
      this.#range = range;
    } catch (error) {
      // The guest put PMBASE over another device: a bus conflict on real hardware, here the older device keeps the ports.
      this.#machine.ports.unmap(range);
      this.#machine.log.once(`pmbase ${base}`, `ACPI PM block not visible: ${(error as Error).message}`);
    }
  }

  #read(offset: number, size: 1 | 2 | 4): number {
    const word = offset & ~3;
    let value = 0;
    if (word === PM1_EVENT) value = this.#status() | (this.#s.enable << 16);
    else if (word === PM1_CONTROL) value = this.#s.control;
    else if (word === PM_TIMER) value = this.timerValue();
    const shifted = value >>> ((offset & 3) * 8);
    return size === 4 ? shifted : shifted & ((1 << (size * 8)) - 1);
  }

  #write(offset: number, size: 1 | 2 | 4, value: number): void {
    const at = (offset & 3) * 8;
    const mask = ((size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1) << at) >>> 0;
    const bits = (value << at) & mask;
    if ((offset & ~3) === PM1_EVENT) this.#writeEvent(bits, mask);
    else if ((offset & ~3) === PM1_CONTROL) this.#writeControl((this.#s.control & ~mask) | bits);
  }

  #writeEvent(bits: number, mask: number): void {
    const s = this.#s;
    this.#status();
    s.status &= ~(bits & 0xffff); // write one to clear
    s.enable = (((s.enable & ~(mask >>> 16)) | (bits >>> 16)) & ENABLE_BITS) >>> 0;
    this.#settle();
  }

  #writeControl(value: number): void {
    this.#s.control = value & CONTROL_BITS; // SLP_EN and GBL_RLS read as 0
    if ((value & SLP_EN) !== 0) {
      const type = (value >> 10) & 7;
      if (type === S5_SLEEP_TYPE) this.#machine.request('power-off');
      else this.#machine.log.once(`sleep ${type}`, `ACPI sleep type ${type} is not implemented: only soft-off (${S5_SLEEP_TYPE})`);
    }
    this.#settle();
  }

  /** ACPI_ENABLE / ACPI_DISABLE are this firmware's own values, told to the OS in the FADT. */
  #writeApm(port: number, value: number): void {
    this.#s.apm[port] = value;
    if (port !== 0) return;
    if (value === ACPI_ENABLE) this.#s.control |= SCI_EN;
    else if (value === ACPI_DISABLE) this.#s.control &= ~SCI_EN;
    this.#settle();
  }

  /** PM1 status; TMR_STS is computed from the clock. */
  #status(): number {
    const s = this.#s;
    const now = this.#machine.clock.now();
    const halves = (ns: number): number => Math.floor(PM_TIMER_CLOCK.ticksAt(ns) / this.#half);
    if (halves(now) > halves(s.seen)) s.status |= PM1.timer;
    s.seen = now;
    return s.status & STATUS_BITS;
  }

  #settle(): void {
    const { enable, control } = this.#s;
    const status = this.#status();
    this.#sci((status & enable) !== 0 && (control & SCI_EN) !== 0);
    const waits = (enable & ~status & PM1.timer) !== 0;
    const tick = PM_TIMER_CLOCK.ticksAt(this.#machine.clock.now());
    this.#machine.clock.arm(this.#timer, waits ? PM_TIMER_CLOCK.timeOf((Math.floor(tick / this.#half) + 1) * this.#half) : Infinity);
  }
}

/** Values for the FADT's ACPI_ENABLE and ACPI_DISABLE, written to its SMI_CMD = B2h. */
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;

function powerOn(): PmState {
  return { base: 0, status: 0, enable: 0, control: 0, apm: [0, 0], seen: 0 };
}
