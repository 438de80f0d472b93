import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { runBytes, type Run } from './events.ts';

/** One block hashed by the SHA instructions, as FIPS 180-4 and the SDM put them together: an answer that no host CPU is needed for. */

const CONSTANTS = 0x30_0000;
const [WK, STATE, OTHER, TEMPORARY] = [0, 1, 2, 7] as const;
/** Four registers with the last sixteen words of the schedule. */
const M = (n: number): number => 3 + (n & 3);

const op =
  (...bytes: number[]) =>
  (destination: number, source: number, ...immediate: number[]): number[] => [...bytes, 0xc0 | (destination << 3) | source, ...immediate];
const movdqa = op(0x66, 0x0f, 0x6f);
const paddd = op(0x66, 0x0f, 0xfe);
const pxor = op(0x66, 0x0f, 0xef);
const pshufd = op(0x66, 0x0f, 0x70);
const palignr = op(0x66, 0x0f, 0x3a, 0x0f);
const sha1 = { nexte: op(0x0f, 0x38, 0xc8), msg1: op(0x0f, 0x38, 0xc9), msg2: op(0x0f, 0x38, 0xca), rnds4: op(0x0f, 0x3a, 0xcc) };
const sha256 = { rnds2: op(0x0f, 0x38, 0xcb), msg1: op(0x0f, 0x38, 0xcc), msg2: op(0x0f, 0x38, 0xcd) };
/** paddd xmm0, [rsi + disp32] */
const addConstants = (n: number): number[] => [0x66, 0x0f, 0xfe, 0x86, n * 16, 0, 0, 0];

function sha256Program(): number[] {
  const out: number[] = [];
  for (let n = 0; n < 16; n++) {
    if (n >= 4) {
      out.push(...movdqa(TEMPORARY, M(n + 3)), ...palignr(TEMPORARY, M(n + 2), 4), ...sha256.msg1(M(n), M(n + 1)));
      out.push(...paddd(M(n), TEMPORARY), ...sha256.msg2(M(n), M(n + 3)));
    }
    out.push(...movdqa(WK, M(n)), ...addConstants(n), ...sha256.rnds2(OTHER, STATE));
    out.push(...pshufd(WK, WK, 0x0e), ...sha256.rnds2(STATE, OTHER));
  }
  return out;
}

function sha1Program(): number[] {
  const out: number[] = [];
  for (let n = 0; n < 20; n++) {
    if (n >= 4) out.push(...sha1.msg1(M(n), M(n + 1)), ...pxor(M(n), M(n + 2)), ...sha1.msg2(M(n), M(n + 3)));
    out.push(...(n === 0 ? paddd(OTHER, M(0)) : sha1.nexte(OTHER, M(n))));
    out.push(...movdqa(TEMPORARY, STATE), ...sha1.rnds4(STATE, OTHER, Math.floor(n / 5)), ...movdqa(OTHER, TEMPORARY));
  }
  return [...out, ...pxor(WK, WK), ...sha1.nexte(OTHER, WK)];
}

/** Fractional parts of roots of primes: FIPS 180-4, 4.2.2 and 5.3.3. */
const primes = Array.from({ length: 312 }, (_, n) => n).filter(
  (n) => n > 1 && Array.from({ length: n }, (_, k) => k).every((k) => k < 2 || n % k !== 0),
);
function root(n: number, degree: bigint): number {
  const target = BigInt(n) << (32n * degree);
  let low = 0n;
  for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((low + bit) ** degree <= target) low += bit;
  return Number(low & 0xffff_ffffn);
}

const lanes = (cpu: Cpu, register: number): number[] => [0, 1, 2, 3].map((k) => cpu.u32(L.VECTORS + register * L.VECTOR_SIZE + k * 4));
const setLanes = (cpu: Cpu, register: number, words: readonly number[]): void =>
  words.forEach((v, k) => cpu.setU32(L.VECTORS + register * L.VECTOR_SIZE + k * 4, v));

/** The words of a message of one block, padded. */
function wordsOf(message: string): number[] {
  const block = Buffer.alloc(64);
  block.write(message, 'latin1');
  block[message.length] = 0x80;
  block.writeUInt32BE(message.length * 8, 60);
  return Array.from({ length: 16 }, (_, n) => block.readUInt32BE(n * 4));
}
const digest = (words: readonly number[]): string => words.map((v) => (v >>> 0).toString(16).padStart(8, '0')).join('');
const sums = (a: readonly number[], b: readonly number[]): number[] => a.map((v, n) => (v + b[n]!) >>> 0);

/** On a model that has SHA. */
const run = (program: readonly number[], setUp: (cpu: Cpu, machine: Machine) => void): Run =>
  runBytes(Buffer.from(program).toString('hex'), setUp, 10_000, cpuModel('max'));

describe.each(['abc', '', 'x'.repeat(55)])('the hash of "%s"', (message) => {
  const words = wordsOf(message);

  it('SHA-256', () => {
    const initial = primes.slice(0, 8).map((p) => root(p, 2n));
    const [a, b, c, d, e, f, g, h] = initial as [number, number, number, number, number, number, number, number];
    const { cpu, events } = run(sha256Program(), (x, machine) => {
      x.setGpr(6, BigInt(CONSTANTS));
      for (const [n, p] of primes.slice(0, 64).entries()) machine.memory.write(CONSTANTS + n * 4, 4, root(p, 3n));
      setLanes(x, STATE, [f, e, b, a]);
      setLanes(x, OTHER, [h, g, d, c]);
      for (let n = 0; n < 4; n++) setLanes(x, M(n), words.slice(n * 4, n * 4 + 4));
    });
    expect(events).toEqual([]);
    const [f2, e2, b2, a2] = lanes(cpu, STATE) as [number, number, number, number];
    const [h2, g2, d2, c2] = lanes(cpu, OTHER) as [number, number, number, number];
    expect(digest(sums([a2, b2, c2, d2, e2, f2, g2, h2], initial))).toBe(createHash('sha256').update(message).digest('hex'));
  });

  it('SHA-1', () => {
    const initial = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    const { cpu, events } = run(sha1Program(), (x) => {
      setLanes(x, STATE, initial.slice(0, 4).reverse());
      setLanes(x, OTHER, [0, 0, 0, initial[4]!]);
      for (let n = 0; n < 4; n++) setLanes(x, M(n), words.slice(n * 4, n * 4 + 4).reverse());
    });
    expect(events).toEqual([]);
    const state = [...lanes(cpu, STATE).reverse(), lanes(cpu, OTHER)[3]!];
    expect(digest(sums(state, initial))).toBe(createHash('sha1').update(message).digest('hex'));
  });
});
