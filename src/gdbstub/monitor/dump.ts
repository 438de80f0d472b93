import * as L from '../../machine/cpu/layout.ts';
import type { MonitorResult } from '../target.ts';
import { parseAddress } from './address.ts';
import { failure, type MonitorContext } from './command.ts';
import { disassemble } from './disassemble.ts';

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const MAX_COUNT = 0x1_0000;

interface Format {
  readonly count: number;
  readonly format: string;
  readonly size: number;
}

/** `/8xg` in any order of letters, as gdb's and QEMU's `x` take it. */
export function parseFormat(word: string): Format | undefined {
  const match = /^\/([0-9]*)([xduoci]?)([bhwg]?)([xduoci]?)$/.exec(word);
  if (!match || (match[2] !== '' && match[4] !== '')) return undefined;
  const count = match[1] === '' ? 1 : Number(match[1]);
  const format = match[2] || match[4] || 'x';
  return count < 1 || count > MAX_COUNT ? undefined : { count, format, size: SIZES[match[3]!] ?? (format === 'c' ? 1 : 4) };
}

function show(bytes: Uint8Array, format: string): string {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  switch (format) {
    case 'd':
      return BigInt.asIntN(bytes.length * 8, value).toString();
    case 'u':
      return value.toString();
    case 'o':
      return `0${value.toString(8)}`;
    case 'c':
      return value >= 0x20n && value < 0x7fn ? `'${String.fromCharCode(Number(value))}'` : `'\\x${value.toString(16).padStart(2, '0')}'`;
    default:
      return `0x${value.toString(16).padStart(bytes.length * 2, '0')}`;
  }
}

/**
 * The body of `x` and `xp`: they differ in where bytes come from. `read` gives bytes from an address on, fewer where
 * memory ends.
 */
export function dump(
  context: MonitorContext,
  args: readonly string[],
  usage: string,
  read: (address: bigint, length: number) => Uint8Array | undefined,
): MonitorResult {
  const words = [...args];
  const format = words[0]?.startsWith('/') ? parseFormat(words.shift()!) : { count: 1, format: 'x', size: 4 };
  const address = parseAddress(context.cpu, words.join(''));
  if (!format) return failure(`the format is /COUNT, one of x d u o c i, and one of b h w g: ${usage}`);
  if (address === undefined) return failure(`usage: ${usage}`);
  if (format.format === 'i') return instructions(context, address, format.count, read);
  const bytes = read(address, format.count * format.size) ?? new Uint8Array();
  const whole = Math.floor(bytes.length / format.size);
  const perLine = format.size === 8 ? 2 : format.size === 4 ? 4 : 8;
  const lines: string[] = [];
  for (let n = 0; n < whole; n += perLine) {
    const values = Array.from({ length: Math.min(perLine, whole - n) }, (_, i) =>
      show(bytes.subarray((n + i) * format.size, (n + i + 1) * format.size), format.format),
    );
    lines.push(`${line(address + BigInt(n * format.size))}: ${values.join(' ')}`);
  }
  if (whole < format.count) lines.push(`no memory at 0x${(address + BigInt(bytes.length)).toString(16)}`);
  return { text: lines.join('\n'), failed: whole === 0 };
}

const line = (address: bigint): string => address.toString(16).padStart(16, '0');

/** Decoded for the CPU's present code size, which gdb does not know: it takes all code for 64-bit. */
function instructions(
  context: MonitorContext,
  address: bigint,
  count: number,
  read: (a: bigint, n: number) => Uint8Array | undefined,
): MonitorResult {
  const bits = ([16, 32, 64] as const)[context.cpu.u32(L.CODE_SIZE)] ?? 64;
  const bytes = read(address, Math.min(count, 4096) * 15);
  if (!bytes) return failure(`no memory at 0x${address.toString(16)}`);
  return {
    text: disassemble(bytes, address, bits, count)
      .map((i) => `${line(i.address)}: ${i.text}`)
      .join('\n'),
  };
}
