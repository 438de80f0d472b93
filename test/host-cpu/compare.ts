import type { Case, Outcome } from './case.ts';
import { ENDLESS } from './case.ts';

/** CF PF AF ZF SF TF DF OF NT AC. */
const COMPARED = 0x4_4dd5;
const DE = 0;
const PF = 14;
const hex = (v: bigint | number): string => v.toString(16);
const segmentNames = ['es', 'cs', 'ss', 'ds', 'gs'];

/** What differs between the host's CPU and the emulator; empty when they agree. */
export function differences(c: Case, host: Outcome, emulated: Outcome): string[] {
  if (host.vector !== emulated.vector)
    return [`vector: host ${host.vector} at ${hex(host.rip)}, emulator ${emulated.vector} at ${hex(emulated.rip)}`];
  if (host.vector === ENDLESS) return [];
  const out: string[] = [];
  const check = (what: string, a: bigint | number, b: bigint | number): void => {
    if (a !== b) out.push(`${what}: host ${hex(a)}, emulator ${hex(b)}`);
  };
  const long = c.mode === '64';
  const width = long ? 64 : 32;
  check('rip', host.rip, emulated.rip);
  // Outside 64-bit mode the upper halves and r8-r15 are not defined: SDM Vol. 1, 3.4.1.1.
  for (let n = 0; n < (long ? 16 : 8); n++) check(`r${n}`, BigInt.asUintN(width, host.gpr[n]!), BigInt.asUintN(width, emulated.gpr[n]!));
  for (let n = 0; n < (long ? 32 : 16); n++) check(`xmm${n >> 1}[${n & 1}]`, host.xmm[n]!, emulated.xmm[n]!);
  for (let n = 0; n < (long ? 32 : 16); n++) check(`ymm${n >> 1}[${(n & 1) + 2}]`, host.ymmHigh[n]!, emulated.ymmHigh[n]!);
  check('mxcsr', host.mxcsr, emulated.mxcsr);
  if (c.x87) out.push(...x87Differences(host.x87, emulated.x87));
  for (const [n, name] of segmentNames.entries()) if (name !== 'cs' || host.vector >= 0) check(name, host.selectors[n]!, emulated.selectors[n]!);
  const fault = host.vector >= 0;
  if (fault) {
    // Linux hides from programs whether a page of its own is there.
    const kernel = host.vector === PF && host.cr2 >= 0x7fff_ffff_f000n;
    check('error code', kernel ? host.error | 1 : host.error, kernel ? emulated.error | 1 : emulated.error);
    if (host.vector === PF) check('cr2', host.cr2, emulated.cr2);
  }
  const mask = COMPARED & ~c.undefinedFlags;
  if (host.vector !== DE) check('flags', host.flags & mask, emulated.flags & mask);
  if (c.memory === 'ignored' || (fault && c.memory === 'unless faulted')) return out;
  const memory = (o: Outcome): string => o.changes.map((w) => `${hex(w.at)}=${hex(w.value)}`).join(' ');
  if (memory(host) !== memory(emulated)) out.push(`memory: host ${memory(host)}, emulator ${memory(emulated)}`);
  return out;
}

/** Control, status, tags and registers: opcode and pointers of the last instruction differ between processors (SDM Vol. 1, 8.1.8). */
function x87Differences(host: Uint8Array, emulated: Uint8Array): string[] {
  const parts = [['fcw', 0, 2], ['fsw', 2, 2], ['ftw', 4, 1], ...Array.from({ length: 8 }, (_, n) => [`st${n}`, 32 + n * 16, 10] as const)] as const; // prettier-ignore
  return parts.flatMap(([name, at, length]) => {
    const text = (image: Uint8Array): string =>
      Buffer.from(image.subarray(at, at + length))
        .reverse()
        .toString('hex');
    return text(host) === text(emulated) ? [] : [`${name}: host ${text(host)}, emulator ${text(emulated)}`];
  });
}

export const describeCase = (c: Case): string =>
  `${c.mode}: ${c.name}: ${Buffer.from(c.code).toString('hex')} start=${hex(c.start)} flags=${hex(c.flags)} seed=${hex(c.seed)} ${c.gpr.map((v, n) => `r${n}=${hex(v)}`).join(' ')}${describeVectors(c)}`;

const describeVectors = (c: Case): string =>
  [
    c.mxcsr === undefined ? '' : ` mxcsr=${hex(c.mxcsr)}`,
    c.patch ? ` patch=${hex(c.patch.at)}:${Buffer.from(c.patch.bytes).toString('hex')}` : '',
    c.mxcsr === undefined ? '' : ` xmm=${c.xmm.map((v) => hex(v)).join(',')}`,
  ].join('');
