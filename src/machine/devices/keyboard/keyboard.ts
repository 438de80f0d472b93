/** State of the keyboard itself: what it has to say, and the command whose argument it waits for. */
export type KeyboardState = { out: number[]; scanning: boolean; command: number; set: number; leds: number };

const ACK = 0xfa;
const RESEND = 0xfe;
/** Keys that find the buffer full are lost, as with the real one; 64 bytes instead of 16, for pasted text. */
const BUFFER = 64;

/** Commands without argument and their answers; those with one are in `argument` (IBM PS/2 Hardware Interface, keyboard). */
const COMMANDS: Readonly<Record<number, (k: KeyboardState) => number[]>> = {
  0xee: () => [0xee], // echo
  0xf2: () => [ACK, 0xab, 0x83], // identify: MF2 keyboard
  0xf4: (k) => ((k.scanning = true), [ACK]),
  0xf5: (k) => ((k.scanning = false), [ACK]),
  0xf6: (k) => ((k.scanning = true), (k.set = 2), [ACK]),
  0xff: (k) => (Object.assign(k, powerOnKeyboard()), [ACK, 0xaa]), // reset, self-test passed
};
const WITH_ARGUMENT = new Set([0xed, 0xf0, 0xf3]);

export function powerOnKeyboard(): KeyboardState {
  return { out: [], scanning: true, command: 0, set: 2, leds: 0 };
}

/** A byte from the controller to the keyboard. */
export function toKeyboard(k: KeyboardState, value: number): void {
  const { command } = k;
  k.command = 0;
  if (command !== 0 && value < 0x80) return void k.out.push(...argument(k, command, value));
  if (WITH_ARGUMENT.has(value)) {
    k.command = value;
    k.out.push(ACK);
  } else {
    const answer = COMMANDS[value]?.(k) ?? [RESEND]; // before the push: a reset replaces the queue
    k.out.push(...answer);
  }
}

function argument(k: KeyboardState, command: number, value: number): number[] {
  if (command === 0xed) k.leds = value & 7;
  if (command !== 0xf0) return [ACK]; // F3, typematic rate: keys do not repeat by themselves
  if (value === 0) return [ACK, k.set];
  if (value !== 2) return [RESEND]; // only set 2; the controller translates to set 1
  return [ACK];
}

/** Keys pressed or released: bytes of scan code set 2. */
export function pressKeys(k: KeyboardState, scancodes: readonly number[]): void {
  if (k.scanning && k.out.length + scancodes.length <= BUFFER) k.out.push(...scancodes);
}
