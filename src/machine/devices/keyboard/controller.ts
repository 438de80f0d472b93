import type { MachineServices } from '../../machine-services.ts';
import type { Device, Plain } from '../device.ts';
import { hex } from '../hex.ts';
import type { IrqLine } from '../irq-line.ts';
import { checkedState, copyState } from '../state.ts';
import type { KeyboardState } from './keyboard.ts';
import { powerOnKeyboard, pressKeys, toKeyboard } from './keyboard.ts';
import { SET2_TO_SET1 } from './translation.ts';

/** Status register: output buffer full, system flag, last write was a command, not inhibited. */
const STATUS = { OBF: 1, SYS: 4, COMMAND: 8, UNLOCKED: 0x10 } as const;
/** Command byte. */
const CCB = { IRQ1: 1, SYS: 4, KEYBOARD_OFF: 0x10, AUX_OFF: 0x20, TRANSLATE: 0x40 } as const;
/** Output port: not reset, A20. */
const [NOT_RESET, A20] = [1, 2] as const;

type ControllerState = {
  ram: number[];
  outputPort: number;
  /** Output buffer; -1 when empty. */
  data: number;
  /** Answers of the controller itself: they go before the keyboard's bytes and are not translated. */
  answers: number[];
  /** The command that waits for a data byte at port 60h, 0 for none. */
  command: number;
  lastWasCommand: boolean;
  /** A break prefix was swallowed by the translation. */
  breakPrefix: boolean;
  keyboard: KeyboardState;
};

/**
 * The i8042 keyboard controller at ports 60h and 64h with a keyboard and no auxiliary (mouse) port: A8-type commands are
 * taken, the port test fails. The controller answers at once.
 */
export class KeyboardController implements Device {
  readonly name = 'i8042';
  readonly #machine: MachineServices;
  readonly #irq1: IrqLine;
  #s: ControllerState = powerOn();

  constructor(machine: MachineServices, irq1: IrqLine) {
    this.#machine = machine;
    this.#irq1 = irq1;
    machine.ports.map({
      name: 'i8042 data',
      base: 0x60,
      length: 1,
      read: () => this.#readData(),
      write: (_port, _size, v) => this.#writeData(v & 0xff),
    });
    machine.ports.map({
      name: 'i8042 command',
      base: 0x64,
      length: 1,
      read: () => this.#status(),
      write: (_port, _size, v) => this.#writeCommand(v & 0xff),
    });
  }

  /** Keys from the host, as bytes of scan code set 2: an input of the machine, so the caller records it. */
  keyPress(scancodes: readonly number[]): void {
    pressKeys(this.#s.keyboard, scancodes);
    this.#settle();
  }

  reset(): void {
    this.#s = powerOn();
    this.#settle();
  }

  snapshot(): Plain {
    return copyState(this.#s);
  }
  restore(state: Plain): void {
    const present = { ...this.#s, answers: [0], keyboard: { ...this.#s.keyboard, out: [0] } };
    this.#s = checkedState(this.name, present, state);
  }

  describe(): string {
    const { ram, outputPort, keyboard, data } = this.#s;
    const buffer = data < 0 ? 'empty' : hex(data);
    return `i8042: status ${hex(this.#status())} command byte ${hex(ram[0]!)} output port ${hex(outputPort)} buffer ${buffer} keyboard queue ${keyboard.out.length} leds ${keyboard.leds}`;
  }

  #status(): number {
    const { data, ram, lastWasCommand } = this.#s;
    return STATUS.UNLOCKED | (ram[0]! & STATUS.SYS) | (data >= 0 ? STATUS.OBF : 0) | (lastWasCommand ? STATUS.COMMAND : 0);
  }

  /** An empty buffer reads as the last byte on real hardware; here as 0. */
  #readData(): number {
    const value = Math.max(0, this.#s.data);
    this.#s.data = -1;
    this.#irq1(false); // each byte is an edge of its own
    this.#settle();
    return value;
  }

  #writeData(value: number): void {
    const s = this.#s;
    const { command } = s;
    s.command = 0;
    s.lastWasCommand = false;
    if (command >= 0x60 && command < 0x80) s.ram[command & 0x1f] = value;
    else if (command === 0xd1) this.#writeOutputPort(value);
    else if (command === 0xd2 || command === 0xd3) s.answers.push(value);
    else if (command === 0) {
      s.ram[0] = s.ram[0]! & ~CCB.KEYBOARD_OFF; // talking to the keyboard enables its clock
      toKeyboard(s.keyboard, value);
    } // D4, to the mouse: nobody answers
    this.#settle();
  }

  #writeCommand(value: number): void {
    const s = this.#s;
    s.lastWasCommand = true;
    s.command = 0;
    if (value >= 0x20 && value < 0x40) s.answers.push(s.ram[value & 0x1f]!);
    else if ((value >= 0x60 && value < 0x80) || (value >= 0xd1 && value <= 0xd4)) s.command = value;
    else if (value >= 0xf0) this.#pulse(value & 0xf);
    else this.#command(value);
    this.#settle();
  }

  #command(value: number): void {
    const s = this.#s;
    const set = (bit: number, on: boolean): void => void (s.ram[0] = on ? s.ram[0]! | bit : s.ram[0]! & ~bit);
    switch (value) {
      case 0xa7:
        return set(CCB.AUX_OFF, true);
      case 0xa8:
        return; // no auxiliary port to enable: its bit stays set, which is how software sees that
      case 0xa9:
        return void s.answers.push(1); // auxiliary port test: clock line stuck low
      case 0xaa:
        s.ram[0] = s.ram[0]! | CCB.SYS;
        return void s.answers.push(0x55);
      case 0xab:
        return void s.answers.push(0);
      case 0xad:
        return set(CCB.KEYBOARD_OFF, true);
      case 0xae:
        return set(CCB.KEYBOARD_OFF, false);
      case 0xc0:
        return void s.answers.push(0x80); // input port: keyboard not locked
      case 0xd0:
        return void s.answers.push(s.outputPort | (s.data >= 0 ? 0x10 : 0));
      case 0xdd:
        return this.#writeOutputPort(s.outputPort & ~A20);
      case 0xdf:
        return this.#writeOutputPort(s.outputPort | A20);
      default:
        this.#machine.log.once(`i8042 ${value}`, `i8042: unknown command ${hex(value)}`);
    }
  }

  /** F0-FF pulse the output port bits that are 0 in the command; bit 0 is the processor's reset. */
  #pulse(bits: number): void {
    if ((bits & NOT_RESET) === 0) this.#machine.request('reset');
  }

  #writeOutputPort(value: number): void {
    if ((value & A20) === 0) this.#machine.log.once('a20', 'i8042: A20 masking is not implemented; A20 stays enabled');
    this.#s.outputPort = value | NOT_RESET;
    if ((value & NOT_RESET) === 0) this.#machine.request('reset');
  }

  /** Fills the output buffer and drives IRQ1. */
  #settle(): void {
    const s = this.#s;
    while (s.data < 0) {
      const own = s.answers.shift();
      if (own !== undefined) s.data = own;
      else if ((s.ram[0]! & CCB.KEYBOARD_OFF) !== 0 || s.keyboard.out.length === 0) break;
      else s.data = this.#translate(s.keyboard.out.shift()!);
    }
    this.#irq1(s.data >= 0 && (s.ram[0]! & CCB.IRQ1) !== 0);
  }

  /** Returns -1 for a break prefix, which translation joins with the next code. */
  #translate(code: number): number {
    const s = this.#s;
    if ((s.ram[0]! & CCB.TRANSLATE) === 0) return code;
    if (code === 0xf0) {
      s.breakPrefix = true;
      return -1;
    }
    const translated = SET2_TO_SET1[code] ?? code;
    const value = s.breakPrefix ? translated | 0x80 : translated;
    s.breakPrefix = false;
    return value;
  }
}

function powerOn(): ControllerState {
  const ram = Array.from({ length: 32 }, () => 0);
  ram[0] = CCB.AUX_OFF;
  return {
    ram,
    outputPort: NOT_RESET | A20,
    data: -1,
    answers: [],
    command: 0,
    lastWasCommand: false,
    breakPrefix: false,
    keyboard: powerOnKeyboard(),
  };
}
