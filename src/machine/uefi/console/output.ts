import type { FirmwareContext } from '../context.ts';

/** The text console: characters to the host, the cursor position that the guest may ask for, attributes as ANSI. */
export const COLUMNS = 80;
export const ROWS = 25;
const TAB = 8;

function send(fw: FirmwareContext, text: string): void {
  fw.options.console?.write(new TextEncoder().encode(text));
}

/** Writes text and follows the cursor: UEFI 2.10, 12.4.3 (the four control characters it names). */
export function print(fw: FirmwareContext, text: string): void {
  if (text === '') return;
  const c = fw.state.console;
  for (const ch of text) {
    if (ch === '\r') c.column = 0;
    else if (ch === '\n') c.row = Math.min(c.row + 1, ROWS - 1);
    else if (ch === '\b') c.column = Math.max(c.column - 1, 0);
    else if (ch === '\t') c.column = Math.min((Math.floor(c.column / TAB) + 1) * TAB, COLUMNS - 1);
    else if (++c.column >= COLUMNS) {
      c.column = 0;
      c.row = Math.min(c.row + 1, ROWS - 1);
    }
  }
  send(fw, text);
  writeMode(fw);
}

/** A line of the firmware's own. */
export const printLine = (fw: FirmwareContext, text = ''): void => print(fw, `${text.replaceAll('\n', '\r\n')}\r\n`);

export function clearScreen(fw: FirmwareContext): void {
  Object.assign(fw.state.console, { column: 0, row: 0 });
  send(fw, '\x1b[2J\x1b[H');
  writeMode(fw);
}

export function setCursor(fw: FirmwareContext, column: number, row: number): void {
  Object.assign(fw.state.console, { column, row });
  send(fw, `\x1b[${row + 1};${column + 1}H`);
  writeMode(fw);
}

export function showCursor(fw: FirmwareContext, on: boolean): void {
  fw.state.console.cursor = on;
  send(fw, on ? '\x1b[?25h' : '\x1b[?25l');
  writeMode(fw);
}

/** EFI colours are in CGA order (blue is 1), ANSI's swap red and blue. */
const ansi = [0, 4, 2, 6, 1, 5, 3, 7];

export function setAttribute(fw: FirmwareContext, attribute: number): void {
  fw.state.console.attribute = attribute;
  const bold = attribute & 8 ? 1 : 22;
  send(fw, attribute === 7 ? '\x1b[0m' : `\x1b[${bold};${30 + ansi[attribute & 7]!};${40 + ansi[(attribute >> 4) & 7]!}m`);
  writeMode(fw);
}

/** SIMPLE_TEXT_OUTPUT_MODE (12.4.1) lies right behind the protocol in boot data: see `tables/consoles.ts`. */
export function writeMode(fw: FirmwareContext): void {
  if (fw.state.exited) return;
  const at = textOutputMode(fw);
  const c = fw.state.console;
  [1, 0, c.attribute, c.column, c.row].forEach((v, n) => fw.memory.setU32(at + n * 4, v));
  fw.memory.write(at + 20, Uint8Array.of(c.cursor ? 1 : 0));
}

/** Fixed place: the start of boot data. */
export const textOutputMode = (fw: FirmwareContext): number => fw.layout.bootData.base;
export const TEXT_MODE_SIZE = 32;
