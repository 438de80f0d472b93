import type { MmioRange } from '../memory/physical.ts';
import type { Device, Plain } from './device.ts';
import { hex } from './hex.ts';
import type { ApicBus } from './lapic/bus.ts';
import { DeliveryMode } from './lapic/registers.ts';
import { checkedState, copyState } from './state.ts';

export const IOAPIC_BASE = 0xfec0_0000;
export const IOAPIC_PINS = 24;

/** Bits of a redirection entry's low half: 82093AA data sheet, 3.2.4. */
const LOGICAL = 0x800;
const REMOTE_IRR = 0x4000;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
const WRITABLE = 0x1_afff; // delivery status (12) and remote IRR (14) are read-only

type IoApicState = { select: number; id: number; low: number[]; high: number[]; lines: boolean[] };

/**
 * The I/O APIC (82093AA, version 11H). Lines are logical levels: the polarity bit of an entry is kept and not interpreted,
 * since every source says `asserted` itself.
 */
export class IoApic implements Device {
  readonly name = 'ioapic';
  readonly range: MmioRange;
  readonly #bus: ApicBus;
  #s: IoApicState = powerOn();

  constructor(bus: ApicBus) {
    this.#bus = bus;
    bus.onEoi = (vector) => this.#eoi(vector);
    this.range = {
      name: 'I/O APIC',
      base: IOAPIC_BASE,
      length: 0x1000,
      read: (offset, size) => {
        const value = offset === 0 ? this.#s.select : offset === 0x10 ? this.#read(this.#s.select) : 0;
        return size === 4 ? value : value & ((1 << (size * 8)) - 1);
      },
      write: (offset, _size, value) => {
        if (offset === 0) this.#s.select = value & 0xff;
        else if (offset === 0x10) this.#write(this.#s.select, value);
      },
    };
  }

  setLine(pin: number, asserted: boolean): void {
    const before = this.#s.lines[pin];
    this.#s.lines[pin] = asserted;
    const low = this.#s.low[pin]!;
    // An edge on a masked pin is lost; a level waits (3.4, interrupt mask).
    if ((low & LEVEL) !== 0) this.#level(pin);
    else if (asserted && !before && (low & MASKED) === 0) this.#send(pin);
  }

  reset(): void {
    this.#s = powerOn();
  }
  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    this.#s = checkedState(this.name, this.#s, state);
  }

  describe(): string {
    const pins = this.#s.low.map((low, pin) => {
      const flags = [
        (low & MASKED) !== 0 ? 'masked' : 'open',
        (low & LEVEL) !== 0 ? 'level' : 'edge',
        (low & LOGICAL) !== 0 ? 'logical' : 'physical',
        ...((low & REMOTE_IRR) !== 0 ? ['remote-IRR'] : []),
        ...(this.#s.lines[pin]! ? ['asserted'] : []),
      ];
      return `  pin ${String(pin).padStart(2)}: vector ${hex(low & 0xff)} mode ${(low >> 8) & 7} to ${hex(this.#s.high[pin]! >>> 24)} ${flags.join(' ')}`;
    });
    return [`ioapic: id ${this.#s.id} at ${hex(IOAPIC_BASE, 8)}`, ...pins].join('\n');
  }

  #read(index: number): number {
    if (index === 0 || index === 2) return this.#s.id << 24;
    if (index === 1) return ((IOAPIC_PINS - 1) << 16) | 0x11;
    const pin = (index - 0x10) >> 1;
    if (index < 0x10 || pin >= IOAPIC_PINS) return 0;
    return ((index & 1) !== 0 ? this.#s.high[pin]! : this.#s.low[pin]!) >>> 0;
  }

  #write(index: number, value: number): void {
    if (index === 0) this.#s.id = (value >>> 24) & 15;
    const pin = (index - 0x10) >> 1;
    if (index < 0x10 || pin >= IOAPIC_PINS) return;
    if ((index & 1) !== 0) {
      this.#s.high[pin] = (value & 0xff00_0000) >>> 0;
      return;
    }
    const low = (value & WRITABLE) | (this.#s.low[pin]! & REMOTE_IRR);
    // Software clears a stuck remote IRR by switching the entry to edge and back.
    this.#s.low[pin] = (low & LEVEL) !== 0 ? low : low & ~REMOTE_IRR;
    this.#level(pin);
  }

  /** A level-triggered pin interrupts while it is asserted and its last interrupt has had its EOI. */
  #level(pin: number): void {
    const low = this.#s.low[pin]!;
    if (!this.#s.lines[pin]! || (low & (LEVEL | MASKED | REMOTE_IRR)) !== LEVEL) return;
    const mode = (low >> 8) & 7;
    const accepted = this.#send(pin);
    if (accepted && (mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority)) this.#s.low[pin] = low | REMOTE_IRR;
  }

  #send(pin: number): boolean {
    const low = this.#s.low[pin]!;
    const logical = (low & LOGICAL) !== 0;
    return this.#bus.send({ mode: (low >> 8) & 7, vector: low & 0xff, destination: this.#s.high[pin]! >>> 24, logical, level: (low & LEVEL) !== 0 });
  }

  #eoi(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const low = this.#s.low[pin]!;
      if ((low & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR) || (low & 0xff) !== vector) continue;
      this.#s.low[pin] = low & ~REMOTE_IRR;
      this.#level(pin);
    }
  }
}

function powerOn(): IoApicState {
  const pins = <T>(value: T): T[] => Array.from({ length: IOAPIC_PINS }, () => value);
  return { select: 0, id: 0, low: pins(MASKED), high: pins(0), lines: pins(false) };
}
