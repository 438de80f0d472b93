import type { MachineServices } from '../../machine-services.ts';
import type { Device, Plain } from '../device.ts';
import { hex } from '../hex.ts';
import { checkedState } from '../state.ts';
import type { PciFunction } from './config-space.ts';

const ADDRESS = 0xcf8;
const RESET_CONTROL = 0xcf9;
const DATA = 0xcfc;

/**
 * PCI configuration mechanism #1 (PCI 2.1, 3.7.4.1) and the reset control register CF9H, which shares a doubleword with
 * CONFIG_ADDRESS and is told apart by width. Functions of bus 0 sit in a table, absent ones answer all ones.
 */
export class PciHost implements Device {
  readonly name = 'pci';
  readonly #machine: MachineServices;
  readonly #functions: (PciFunction | undefined)[] = [];
  #address = 0;
  #resetControl = 0;
  /** The function that CONFIG_ADDRESS selects, or undefined: looked up once a write, for scans read thousands of absent ones. */
  #selected: PciFunction | undefined;

  constructor(machine: MachineServices) {
    this.#machine = machine;
    machine.ports.map({
      name: 'PCI configuration',
      base: ADDRESS,
      length: 8,
      read: (port, size) => {
        if (port < DATA)
          return port === ADDRESS && size === 4 ? this.#address : port === RESET_CONTROL && size === 1 ? this.#resetControl : ones(size);
        if (this.#selected === undefined) return ones(size);
        return (port & 3) + size > 4 ? ones(size) : this.#selected.read((this.#address & 0xfc) | (port & 3), size);
      },
      write: (port, size, value) => {
        if (port === ADDRESS && size === 4) this.#select(value);
        else if (port === RESET_CONTROL && size === 1) this.#writeResetControl(value);
        else if (port >= DATA && (port & 3) + size <= 4) this.#selected?.write((this.#address & 0xfc) | (port & 3), size, value);
      },
    });
  }

  add(fn: PciFunction): PciFunction {
    const at = (fn.address.device << 3) | fn.address.function;
    if (this.#functions[at]) throw new Error(`PCI 0:${fn.address.device}.${fn.address.function} is taken by ${this.#functions[at].name}`);
    this.#functions[at] = fn;
    this.#select(this.#address);
    return fn;
  }

  /** The functions of bus 0 in order. */
  functions(): PciFunction[] {
    return this.#functions.filter((f) => f !== undefined);
  }

  reset(): void {
    this.#resetControl = 0;
    this.#select(0);
    for (const fn of this.functions()) fn.reset();
  }

  snapshot(): Plain {
    const functions = Object.fromEntries(this.functions().map((f) => [f.name, f.snapshot()]));
    return { address: this.#address, resetControl: this.#resetControl, functions };
  }

  restore(state: Plain): void {
    const s = checkedState(this.name, this.snapshot() as { address: number; resetControl: number; functions: Record<string, Plain> }, state);
    this.#resetControl = s.resetControl;
    for (const fn of this.functions()) fn.restore(s.functions[fn.name]!);
    this.#select(s.address);
  }

  describe(): string {
    const lines = this.functions().map((f) => {
      const id = `${hex(f.read(0, 2), 4)}:${hex(f.read(2, 2), 4)}`;
      return `  0:${f.address.device}.${f.address.function} ${id} class ${hex(f.read(8, 4) >>> 8, 6)} ${f.name}`;
    });
    return [`pci: address ${hex(this.#address, 8)}`, ...lines].join('\n');
  }

  #select(address: number): void {
    this.#address = (address & 0x80ff_fffc) >>> 0;
    const enabledBus0 = (this.#address & 0xffff_0000) >>> 0 === 0x8000_0000;
    this.#selected = enabledBus0 ? this.#functions[(this.#address >> 8) & 0xff] : undefined;
  }

  /** PIIX3's reset control: bit 2 going from 0 to 1 resets; bit 1 chooses hard reset, the same here. */
  #writeResetControl(value: number): void {
    const before = this.#resetControl;
    this.#resetControl = value & 0x0e;
    if ((value & ~before & 4) !== 0) this.#machine.request('reset');
  }
}

const ones = (size: 1 | 2 | 4): number => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1);
