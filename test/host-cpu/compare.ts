import type { Case, Outcome } from './case.ts';
import { DATA_SIZE, ENDLESS } from './case.ts';
import { initialData } from './memory.ts';
import type { Relaxation } from './relaxations.ts';
import { relaxationsOf } from './relaxations.ts';

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
  const relaxed = (c.row ? relaxationsOf(c.row.name) : []).filter((r) => r.when?.(c, host, emulated) ?? true);
  const long = c.mode === '64';
  const width = long ? 64 : 32;
  check('rip', host.rip, emulated.rip);
  // Outside 64-bit mode the upper halves and r8-r15 are not defined: SDM Vol. 1, 3.4.1.1.
  for (let n = 0; n < (long ? 16 : 8); n++)
    if (host.gpr[n] !== emulated.gpr[n]) check(`r${n}`, BigInt.asUintN(width, host.gpr[n]!), BigInt.asUintN(width, emulated.gpr[n]!));
  const relative = relaxed.find((r) => r.relative !== undefined)?.relative ?? 0;
  const lanes = (what: string, first: number, a: readonly bigint[], b: readonly bigint[]): void => {
    for (let n = 0; n < (long ? 32 : 16); n++)
      if (a[n] !== b[n] && !(relative > 0 && near(a[n]!, b[n]!, relative))) check(`${what}${n >> 1}[${(n & 1) + first}]`, a[n]!, b[n]!);
  };
  lanes('xmm', 0, host.xmm, emulated.xmm);
  lanes('ymm', 2, host.ymmHigh, emulated.ymmHigh);
  check('mxcsr', host.mxcsr, emulated.mxcsr);
  if (Buffer.compare(host.x87, emulated.x87) !== 0) out.push(...x87Differences(host.x87, emulated.x87, relaxed));
  for (let n = 0; n < 5; n++) if (n !== 1 || host.vector >= 0) check(segmentNames[n]!, host.selectors[n]!, emulated.selectors[n]!);
  const fault = host.vector >= 0;
  if (fault) {
    // Linux hides from programs whether a page of its own is there.
    const kernel = host.vector === PF && host.cr2 >= 0x7fff_ffff_f000n;
    check('error code', kernel ? host.error | 1 : host.error, kernel ? emulated.error | 1 : emulated.error);
    if (host.vector === PF && !relaxed.some((r) => r.address === 'ignored')) check('cr2', host.cr2, emulated.cr2);
  }
  const mask = COMPARED & ~c.undefinedFlags & ~bits(relaxed, 'flags');
  if (host.vector !== DE) check('flags', host.flags & mask, emulated.flags & mask);
  if (c.memory === 'ignored' || (fault && c.memory === 'unless faulted')) return out;
  if (host.changes.length > 0 || emulated.changes.length > 0) out.push(...memoryDifferences(c, host, emulated, relaxed));
  return out;
}

const bits = (list: readonly Relaxation[], which: 'status' | 'flags'): number => list.reduce((all, r) => all | (r[which] ?? 0), 0);

/** Control, status, tags and registers: opcode and pointers of the last instruction differ between processors (SDM Vol. 1, 8.1.8). */
function x87Differences(host: Uint8Array, emulated: Uint8Array, relaxed: readonly Relaxation[]): string[] {
  const out: string[] = [];
  const text = (image: Uint8Array, at: number, length: number): string => Buffer.from(image.subarray(at, at + length)).reverse().toString('hex'); // prettier-ignore
  const check = (what: string, at: number, length: number): void => {
    const [a, b] = [text(host, at, length), text(emulated, at, length)];
    if (a !== b) out.push(`${what}: host ${a}, emulator ${b}`);
  };
  check('fcw', 0, 2);
  const ignored = bits(relaxed, 'status');
  const statusWord = (image: Uint8Array): number => (image[2]! | (image[3]! << 8)) & ~ignored;
  if (statusWord(host) !== statusWord(emulated)) check('fsw', 2, 2);
  check('ftw', 4, 1);
  if (relaxed.some((r) => r.registers === 'ignored')) return out;
  const ulps = Math.max(0, ...relaxed.map((r) => r.ulps ?? 0));
  for (let n = 0; n < 8; n++) if (ulps === 0 || !within(host, emulated, 32 + n * 16, ulps)) check(`st${n}`, 32 + n * 16, 10);
  return out;
}

/** Two numbers in double extended format at most so many units in the last place apart. */
function within(a: Uint8Array, b: Uint8Array, at: number, ulps: number): boolean {
  const ordered = (image: Uint8Array): bigint => {
    const view = new DataView(image.buffer, image.byteOffset + at);
    const significand = view.getBigUint64(0, true) & 0x7fff_ffff_ffff_ffffn;
    const magnitude = (BigInt(view.getUint16(8, true) & 0x7fff) << 63n) | significand;
    return view.getUint16(8, true) & 0x8000 ? -magnitude : magnitude;
  };
  const distance = ordered(a) - ordered(b);
  return distance <= BigInt(ulps) && distance >= -BigInt(ulps);
}

/** Two pairs of single-precision numbers that differ by little. */
function near(a: bigint, b: bigint, relative: number): boolean {
  const floats = (v: bigint): Float32Array => new Float32Array(BigUint64Array.of(v).buffer);
  const [x, y] = [floats(a), floats(b)];
  return [0, 1].every((n) => Object.is(x[n], y[n]) || Math.abs(x[n]! - y[n]!) <= Math.abs(y[n]!) * relative);
}

const before = new Uint8Array(DATA_SIZE);
const ALL = (1n << 64n) - 1n;

function memoryDifferences(c: Case, host: Outcome, emulated: Outcome, relaxed: readonly Relaxation[]): string[] {
  const width = Number(/\d+$/.exec(c.name)?.[0] ?? 0);
  const ignored = new Uint8Array(DATA_SIZE);
  for (const r of relaxed)
    for (const [at, length] of r.memory?.(width) ?? []) ignored.fill(0xff, (c.target ?? 0) + at, (c.target ?? 0) + at + length);
  const masks = new BigUint64Array(ignored.buffer);
  initialData(c, before);
  const initially = new BigUint64Array(before.buffer);
  const [a, b] = [host, emulated].map((o) => new Map(o.changes.map((w) => [w.at, w.value]))) as [Map<number, bigint>, Map<number, bigint>];
  const out: string[] = [];
  for (const at of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(at) ?? initially[at / 8]!, b.get(at) ?? initially[at / 8]!];
    if (((x ^ y) & (masks[at / 8]! ^ ALL)) !== 0n) out.push(`memory ${hex(at)}: host ${hex(x)}, emulator ${hex(y)}`);
  }
  return out;
}

export const describeCase = (c: Case): string =>
  `${c.mode}: ${c.name}: ${Buffer.from(c.code).toString('hex')} start=${hex(c.start)} flags=${hex(c.flags)} seed=${hex(c.seed)} ${c.gpr.map((v, n) => `r${n}=${hex(v)}`).join(' ')}${describeVectors(c)}`;

const describeVectors = (c: Case): string =>
  [
    c.mxcsr === undefined ? '' : ` mxcsr=${hex(c.mxcsr)}`,
    c.x87 === undefined ? '' : ` x87=${Buffer.from(c.x87).toString('hex')}`,
    c.patch ? ` patch=${hex(c.patch.at)}:${Buffer.from(c.patch.bytes).toString('hex')}` : '',
    c.mxcsr === undefined ? '' : ` xmm=${c.xmm.map((v) => hex(v)).join(',')}`,
    c.mxcsr === undefined || !c.ymmHigh ? '' : ` ymm=${c.ymmHigh.map((v) => hex(v)).join(',')}`,
  ].join('');
