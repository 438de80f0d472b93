import type { MachineServices } from '../machine-services.ts';
import type { Device, Plain } from './device.ts';
import { hex } from './hex.ts';
import { checkedState } from './state.ts';

const FAST_RESET = 1;
const A20 = 2;

/** System control port A, 92h: fast A20 gate and fast reset (IBM PS/2 Hardware Interface Technical Reference). */
export class SystemControl implements Device {
  readonly name = 'port92';
  #value = A20;

  constructor(machine: MachineServices) {
    machine.ports.map({
      name: 'system control port A',
      base: 0x92,
      length: 1,
      read: () => this.#value,
      write: (_port, _size, value) => {
        const rising = (value & ~this.#value & FAST_RESET) !== 0;
        this.#value = value & 0xff;
        if ((value & A20) === 0) machine.log.once('a20', 'port 92h: A20 masking is not implemented; A20 stays enabled');
        if (rising) machine.request('reset');
      },
    });
  }

  reset(): void {
    this.#value = A20;
  }
  snapshot(): Plain {
    return { value: this.#value };
  }
  restore(state: Plain): void {
    this.#value = checkedState(this.name, { value: this.#value }, state).value;
  }
  describe(): string {
    return `port 92: ${hex(this.#value)}`;
  }
}
