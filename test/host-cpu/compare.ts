import type { Case, Outcome } from './case.ts';

const ARITHMETIC = 0xcd5; // CF PF AF ZF SF DF OF
const hex = (v: bigint | number): string => v.toString(16);

/** What differs between the host's CPU and the emulator; empty when they agree. */
export function differences(c: Case, host: Outcome, emulated: Outcome): string[] {
  if (host.vector !== emulated.vector) return [`vector: host ${host.vector}, emulator ${emulated.vector}`];
  const out: string[] = [];
  const check = (what: string, a: bigint | number, b: bigint | number): void => {
    if (a !== b) out.push(`${what}: host ${hex(a)}, emulator ${hex(b)}`);
  };
  check('rip', host.rip, emulated.rip);
  host.gpr.forEach((v, n) => check(`r${n}`, v, emulated.gpr[n]!));
  host.xmm.forEach((v, n) => check(`xmm${n >> 1}[${n & 1}]`, v, emulated.xmm[n]!));
  if (host.vector >= 0) return out; // flags after a fault, and memory that microcode wrote before it, are the host's own matter
  const mask = ARITHMETIC & ~c.undefinedFlags;
  check('flags', host.flags & mask, emulated.flags & mask);
  const memory = (o: Outcome): string => o.changes.map((w) => `${hex(w.at)}=${hex(w.value)}`).join(' ');
  if (memory(host) !== memory(emulated)) out.push(`memory: host ${memory(host)}, emulator ${memory(emulated)}`);
  return out;
}

export const describeCase = (c: Case): string =>
  `${c.name}: ${Buffer.from(c.code).toString('hex')} flags=${hex(c.flags)} ${c.gpr.map((v, n) => `r${n}=${hex(v)}`).join(' ')}`;
