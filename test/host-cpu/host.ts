import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case, Outcome } from './case.ts';
import { ldtEntries, MAX_CHANGES, MAX_CODE, MAX_PATCH, MXCSR_DEFAULT, setups, X87_SIZE, x87Default } from './case.ts';

/** Struct vectors of harness.c: x87, XMM, upper halves of YMM. */
const VECTORS_SIZE = X87_SIZE + 512;
const MXCSR_AT = 24;
/** Structs test and result. */
const CASE = { vectors: MAX_CODE + 176, patchAt: MAX_CODE + 176 + VECTORS_SIZE, size: MAX_CODE + 176 + VECTORS_SIZE + 8 + MAX_PATCH } as const;
const RESULT = { vectors: 208, changes: 208 + VECTORS_SIZE, size: 208 + VECTORS_SIZE + 8 + MAX_CHANGES * 16 } as const;

let harness: string | undefined;

/** Compiles the harness once per process. */
function build(): string {
  if (harness === undefined) {
    const directory = mkdtempSync(join(tmpdir(), 'vmxscope-host-cpu-'));
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
    harness = join(directory, 'harness');
    // Linked at 256 MiB: its addresses fit 32-bit code, and the cases' addresses stay free.
    const flags = ['-O1', '-no-pie', '-fno-pie', '-fno-stack-protector', '-fcf-protection=none', '-Wl,-Ttext-segment=0x10000000'];
    execFileSync('gcc', [...flags, '-o', harness, join(import.meta.dirname, 'harness.c')], { stdio: 'inherit' });
  }
  return harness;
}

function encodeLdt(): Buffer {
  const out = Buffer.alloc(4 + ldtEntries.length * 24);
  out.writeUInt32LE(ldtEntries.length, 0);
  for (const [n, s] of ldtEntries.entries()) {
    for (const [k, v] of [s.base, s.limit, Number(s.big), s.contents, Number(s.restricted), Number(s.absent)].entries())
      out.writeUInt32LE(v, 4 + n * 24 + k * 4);
  }
  return out;
}

function encode(cases: readonly Case[]): Buffer {
  const out = Buffer.alloc(cases.length * CASE.size);
  for (const [n, c] of cases.entries()) {
    const start = n * CASE.size;
    const setup = setups[c.mode];
    if (c.code.length > MAX_CODE) throw new Error(`${c.name}: ${c.code.length} bytes of code`);
    out.set(c.code, start);
    const at = start + MAX_CODE;
    out.writeUInt32LE(c.code.length, at);
    out.writeUInt32LE(c.start, at + 4);
    for (const [k, v] of [setup.bits, c.endBits, setup.cs, setup.ds, setup.es, setup.ss, setup.gs].entries()) out.writeUInt16LE(v, at + 8 + k * 2);
    out.writeUInt32LE(setup.codeBase, at + 24);
    out.writeBigUInt64LE(c.seed, at + 32);
    for (const [k, v] of c.gpr.entries()) out.writeBigUInt64LE(v, at + 40 + k * 8);
    out.writeBigUInt64LE(BigInt(c.flags), at + 168);
    const vectors = start + CASE.vectors;
    out.set(c.x87 ?? x87Default(), vectors);
    out.writeUInt32LE(c.mxcsr ?? MXCSR_DEFAULT, vectors + MXCSR_AT);
    for (const [k, v] of c.xmm.entries()) out.writeBigUInt64LE(v, vectors + X87_SIZE + k * 8);
    for (const [k, v] of (c.ymmHigh ?? []).entries()) out.writeBigUInt64LE(v, vectors + X87_SIZE + 256 + k * 8);
    if (!c.patch) continue;
    out.writeUInt32LE(c.patch.at, start + CASE.patchAt);
    out.writeUInt32LE(c.patch.bytes.length, start + CASE.patchAt + 4);
    out.set(c.patch.bytes, start + CASE.patchAt + 8);
  }
  return out;
}

/** Runs cases on the host's CPU. */
export function runOnHost(cases: readonly Case[]): Outcome[] {
  const input = Buffer.concat([encodeLdt(), encode(cases)]);
  const { stdout, status, signal, stderr } = spawnSync(build(), { input, maxBuffer: cases.length * RESULT.size + 65536 });
  if (status !== 0 || stdout.length !== cases.length * RESULT.size) {
    const done = Math.floor(stdout.length / RESULT.size);
    const next = cases[done];
    throw new Error(`host-cpu harness: status ${status}, signal ${signal}, ${done} of ${cases.length} results, then ${next && `${next.mode} ${next.name} ${Buffer.from(next.code).toString('hex')}`}: ${stderr.toString()}`); // prettier-ignore
  }
  return cases.map((_, n) => {
    const at = n * RESULT.size;
    const u64 = (offset: number): bigint => stdout.readBigUInt64LE(at + offset);
    const changed = Math.min(Number(u64(RESULT.changes)), MAX_CHANGES);
    return {
      gpr: Array.from({ length: 16 }, (_, k) => u64(k * 8)),
      flags: Number(u64(128)),
      rip: u64(136),
      vector: Number(stdout.readBigInt64LE(at + 144)),
      error: Number(u64(152)),
      cr2: u64(160),
      selectors: Array.from({ length: 5 }, (_, k) => Number(u64(168 + k * 8))),
      xmm: Array.from({ length: 32 }, (_, k) => u64(RESULT.vectors + X87_SIZE + k * 8)),
      ymmHigh: Array.from({ length: 32 }, (_, k) => u64(RESULT.vectors + X87_SIZE + 256 + k * 8)),
      mxcsr: stdout.readUInt32LE(at + RESULT.vectors + MXCSR_AT),
      x87: Uint8Array.from(stdout.subarray(at + RESULT.vectors, at + RESULT.vectors + X87_SIZE)),
      changes: Array.from({ length: changed }, (_, k) => ({
        at: Number(u64(RESULT.changes + 8 + k * 16)),
        value: u64(RESULT.changes + 16 + k * 16),
      })),
    };
  });
}
