import { buffer, pointer, text, uintn } from '../../call/arguments.ts';
import type { Call } from '../../call/call.ts';
import { service, type Service } from '../../call/service.ts';
import { littleEndian } from '../../pack.ts';

/** EFI_UNICODE_COLLATION_PROTOCOL for English: UEFI 2.10, 13.15. */

const cmp = (a: string, b: string): bigint => BigInt.asUintN(64, a === b ? 0n : a < b ? -1n : 1n);

/** `*` any text, `?` one character, `[a-c]` a set: 13.15.3. */
function matches(string: string, pattern: string): boolean {
  const source = pattern.replace(/[.+^${}()|\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.'); // prettier-ignore
  try {
    return new RegExp(`^${source}$`, 'is').test(string);
  } catch {
    return string === pattern; // an unclosed set
  }
}

/** Changes a string of the caller's in place. */
function convert(call: Call, at: bigint, change: (s: string) => string): bigint {
  const before = call.text(at);
  const after = change(before);
  for (let n = 0; n < before.length; n++) if (after[n] !== before[n]) call.write(at + BigInt(n) * 2n, littleEndian(after.charCodeAt(n), 2));
  return 0n;
}
const ascii = (s: string, change: (s: string) => string): string => s.replace(/[a-z]+/gi, change);

export const unicodeCollation: readonly Service[] = [
  service('UnicodeCollation.StriColl', [pointer('This'), text('Str1'), text('Str2')], (_call, _this, a, b) => cmp(a.toLowerCase(), b.toLowerCase())),
  service('UnicodeCollation.MetaiMatch', [pointer('This'), text('String'), text('Pattern')], (_call, _this, s, pattern) =>
    matches(s, pattern) ? 1n : 0n,
  ),
  service('UnicodeCollation.StrLwr', [pointer('This'), buffer('String')], (call, _this, at) =>
    convert(call, at, (s) => ascii(s, (t) => t.toLowerCase())),
  ),
  service('UnicodeCollation.StrUpr', [pointer('This'), buffer('String')], (call, _this, at) =>
    convert(call, at, (s) => ascii(s, (t) => t.toUpperCase())),
  ),
  service('UnicodeCollation.FatToStr', [pointer('This'), uintn('FatSize'), buffer('Fat'), buffer('String')], (call, _this, size, fat, at) => {
    const bytes = call.read(fat, Math.min(size, 0x1000));
    const end = bytes.indexOf(0);
    const chars = [...(end < 0 ? bytes : bytes.subarray(0, end)), 0];
    call.write(at, Uint8Array.from(chars.flatMap((c) => [c, 0])));
    return 0n;
  }),
  service('UnicodeCollation.StrToFat', [pointer('This'), text('String'), uintn('FatSize'), buffer('Fat')], (call, _this, string, size, fat) => {
    let replaced = 0n;
    const bytes: number[] = [];
    for (const c of string.toUpperCase()) {
      if (bytes.length >= size) break;
      if (c === '.' || c === ' ') continue;
      const legal = /^[!#-)\-0-9@A-Z^_`{}~]$/.test(c);
      if (!legal) replaced = 1n;
      bytes.push(legal ? c.charCodeAt(0) : 0x5f);
    }
    if (bytes.length < size) bytes.push(0);
    call.write(fat, Uint8Array.from(bytes));
    return replaced;
  }),
];
