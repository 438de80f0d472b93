/**
 * How bytes travel in packets: hex digits, checksums and the `}` escape of binary data (gdb manual, Remote Protocol:
 * Overview). A packet's payload is a latin1 string, one character per byte, so that text and binary share one type.
 */
const HEX = /^[0-9a-fA-F]*$/;

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
export const textToHex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');
export const toLatin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
export const fromLatin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Bytes of hex digits; undefined when they are not pairs of hex digits. */
export function fromHex(text: string): Buffer | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = Buffer.from(text, 'hex');
  return bytes.length === text.length / 2 ? bytes : undefined; // Buffer.from stops silently at the first bad digit
}

/** A hex number of at most 64 bits; undefined when it is none. */
export function parseBig(text: string): bigint | undefined {
  return text.length > 0 && text.length <= 16 && HEX.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A hex number that fits a double exactly, for lengths, counts and offsets. */
export function parseCount(text: string): number | undefined {
  return text.length > 0 && text.length <= 13 && HEX.test(text) ? parseInt(text, 16) : undefined;
}

const [DOLLAR, HASH, ESCAPE, STAR] = [0x24, 0x23, 0x7d, 0x2a] as const;
const special = (c: number): boolean => c === DOLLAR || c === HASH || c === ESCAPE || c === STAR;

const hexDigit = (n: number): number => (n < 10 ? 0x30 + n : 0x57 + n);

/** `$payload#checksum`, escaped where the payload has bytes with a meaning of their own (`*` too: run-length). */
export function frame(payload: string): Buffer {
  const n = payload.length;
  let escapes = 0;
  for (let i = 0; i < n; i++) if (special(payload.charCodeAt(i))) escapes++;
  const out = Buffer.allocUnsafe(n + escapes + 4);
  out[0] = DOLLAR;
  let at = 1;
  let sum = 0;
  if (escapes === 0) {
    out.write(payload, 1, 'latin1');
    for (at = 1; at <= n; at++) sum += out[at]!;
  } else {
    for (let i = 0; i < n; i++) {
      let c = payload.charCodeAt(i);
      if (special(c)) {
        out[at++] = ESCAPE;
        sum += ESCAPE;
        c ^= 0x20;
      }
      out[at++] = c;
      sum += c;
    }
  }
  out[at] = HASH;
  out[at + 1] = hexDigit((sum >> 4) & 15);
  out[at + 2] = hexDigit(sum & 15);
  return out;
}

/** Undoes the `}` escape of a received payload. */
export function unescape(bytes: Buffer): string {
  if (!bytes.includes(ESCAPE)) return bytes.toString('latin1');
  const out = Buffer.allocUnsafe(bytes.length);
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i]!;
    if (c === ESCAPE && i + 1 < bytes.length) out[at++] = bytes[++i]! ^ 0x20;
    else out[at++] = c;
  }
  return out.toString('latin1', 0, at);
}

/** How many of the bytes fit into `limit` bytes once escaped. */
export function fitEscaped(bytes: Uint8Array, limit: number): number {
  let used = 0;
  for (let i = 0; i < bytes.length; i++) {
    used += special(bytes[i]!) ? 2 : 1;
    if (used > limit) return i;
  }
  return bytes.length;
}
