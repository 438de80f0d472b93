import type { FirmwareState, Key } from '../state.ts';

/** Terminal bytes to EFI_INPUT_KEYs: UEFI 2.10, 12.3 (scan codes in table 12-4) and appendix B (terminals). */
const Scan = { up: 1, down: 2, right: 3, left: 4, home: 5, end: 6, insert: 7, delete: 8, pageUp: 9, pageDown: 10, f1: 11, escape: 0x17 } as const;

const sequences: Record<string, number> = {
  '[A': Scan.up, '[B': Scan.down, '[C': Scan.right, '[D': Scan.left, '[H': Scan.home, '[F': Scan.end, '[1~': Scan.home, '[2~': Scan.insert,
  '[3~': Scan.delete, '[4~': Scan.end, '[5~': Scan.pageUp, '[6~': Scan.pageDown, 'OA': Scan.up, 'OB': Scan.down, 'OC': Scan.right, 'OD': Scan.left,
  OP: Scan.f1, OQ: Scan.f1 + 1, OR: Scan.f1 + 2, OS: Scan.f1 + 3, '[15~': Scan.f1 + 4, '[17~': Scan.f1 + 5, '[18~': Scan.f1 + 6, '[19~': Scan.f1 + 7,
  '[20~': Scan.f1 + 8, '[21~': Scan.f1 + 9, '[23~': Scan.f1 + 10, '[24~': Scan.f1 + 11,
}; // prettier-ignore

const ESC = 0x1b;
const QUEUE_LIMIT = 4096;

/** Bytes typed at a terminal, in UTF-8. An escape sequence may arrive in pieces; ESC alone is the key when nothing follows in the same batch. */
export function typeBytes(state: FirmwareState, bytes: Uint8Array): void {
  const c = state.console;
  for (const byte of [...c.escape.splice(0), ...bytes]) {
    if (c.escape.length === 0 && byte !== ESC && byte < 0x80) {
      // Terminals send DEL for the backspace key and may end a line with LF.
      push(state, { scan: 0, char: byte === 0x7f ? 8 : byte === 10 ? 13 : byte });
      continue;
    }
    c.escape.push(byte);
    finishSequence(state);
  }
  if (c.escape.length === 1 && c.escape[0] === ESC) {
    c.escape = [];
    push(state, { scan: Scan.escape, char: 0 });
  }
}

function finishSequence(state: FirmwareState): void {
  const c = state.console;
  const [first] = c.escape;
  if (first !== ESC) {
    const length = first! >= 0xf0 ? 4 : first! >= 0xe0 ? 3 : 2;
    if (c.escape.length < length) return;
    const text = new TextDecoder().decode(Uint8Array.from(c.escape));
    c.escape = [];
    for (let n = 0; n < text.length; n++) push(state, { scan: 0, char: text.charCodeAt(n) });
    return;
  }
  const rest = String.fromCharCode(...c.escape.slice(1));
  const scan = sequences[rest];
  if (scan !== undefined) push(state, { scan, char: 0 });
  const unfinished = rest === '' || rest === 'O' || /^\[[0-9;]*$/.test(rest);
  if (scan !== undefined || !unfinished) c.escape = [];
}

function push(state: FirmwareState, key: Key): void {
  if (state.console.keys.length < QUEUE_LIMIT) state.console.keys.push(key);
}
