import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case, Outcome } from './case.ts';
import { MAX_CHANGES } from './case.ts';

const CASE_SIZE = 456;
const RESULT_SIZE = 560;

let harness: string | undefined;

/** Compiles the harness once per process. */
function build(): string {
  if (harness === undefined) {
    harness = join(mkdtempSync(join(tmpdir(), 'vmxscope-host-cpu-')), 'harness');
    execFileSync('gcc', ['-O1', '-o', harness, join(import.meta.dirname, 'harness.c')], { stdio: 'inherit' });
  }
  return harness;
}

function encode(cases: readonly Case[]): Buffer {
  const out = Buffer.alloc(cases.length * CASE_SIZE);
  for (const [n, c] of cases.entries()) {
    const at = n * CASE_SIZE;
    out.set(c.code, at);
    out.writeUInt32LE(c.code.length, at + 48);
    out.writeUInt32LE(64, at + 52);
    out.writeBigUInt64LE(c.seed, at + 56);
    for (const [k, v] of c.gpr.entries()) out.writeBigUInt64LE(v, at + 64 + k * 8);
    out.writeBigUInt64LE(BigInt(c.flags), at + 192);
    for (const [k, v] of c.xmm.entries()) out.writeBigUInt64LE(v, at + 200 + k * 8);
  }
  return out;
}

/** Runs cases on the host's CPU. */
export function runOnHost(cases: readonly Case[]): Outcome[] {
  const { stdout, status, signal, stderr } = spawnSync(build(), { input: encode(cases), maxBuffer: cases.length * RESULT_SIZE + 65536 });
  if (status !== 0 || stdout.length !== cases.length * RESULT_SIZE) {
    throw new Error(`host-cpu harness: status ${status}, signal ${signal}, ${stdout.length / RESULT_SIZE} of ${cases.length} results: ${stderr.toString()}`);
  }
  return cases.map((_, n) => {
    const at = n * RESULT_SIZE;
    const u64 = (offset: number): bigint => stdout.readBigUInt64LE(at + offset);
    const changed = Math.min(Number(u64(424)), MAX_CHANGES);
    return {
      gpr: Array.from({ length: 16 }, (_, k) => u64(k * 8)),
      flags: Number(u64(128)),
      rip: u64(136),
      vector: Number(stdout.readBigInt64LE(at + 144)),
      xmm: Array.from({ length: 32 }, (_, k) => u64(168 + k * 8)),
      changes: Array.from({ length: changed }, (_, k) => ({ at: Number(u64(432 + k * 16)), value: u64(440 + k * 16) })),
    };
  });
}
