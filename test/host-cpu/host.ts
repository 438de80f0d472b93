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
const RESULT = { vectors: 208, changes: 208 + VECTORS_SIZE, change: 216 + VECTORS_SIZE, most: 216 + VECTORS_SIZE + MAX_CHANGES * 16 } as const;

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
  const out = new Uint8Array(cases.length * CASE.size);
  const view = new DataView(out.buffer);
  const u64 = new BigUint64Array(out.buffer);
  const u32 = new Uint32Array(out.buffer);
  for (const [n, c] of cases.entries()) {
    const start = n * CASE.size;
    const setup = setups[c.mode];
    if (c.code.length > MAX_CODE) throw new Error(`${c.name}: ${c.code.length} bytes of code`);
    out.set(c.code, start);
    const at = start + MAX_CODE;
    u32[at / 4] = c.code.length;
    u32[at / 4 + 1] = c.start;
    for (const [k, v] of [setup.bits, c.endBits, setup.cs, setup.ds, setup.es, setup.ss, setup.gs].entries()) view.setUint16(at + 8 + k * 2, v, true);
    u32[at / 4 + 6] = setup.codeBase;
    u64[at / 8 + 4] = c.seed;
    u64.set(c.gpr, at / 8 + 5);
    u32[at / 4 + 42] = c.flags;
    const vectors = start + CASE.vectors;
    out.set(c.x87 ?? X87_DEFAULT, vectors);
    u32[(vectors + MXCSR_AT) / 4] = c.mxcsr ?? MXCSR_DEFAULT;
    u64.set(c.xmm, (vectors + X87_SIZE) / 8);
    if (c.ymmHigh) u64.set(c.ymmHigh, (vectors + X87_SIZE) / 8 + 32);
    if (!c.patch) continue;
    u32[(start + CASE.patchAt) / 4] = c.patch.at;
    u32[(start + CASE.patchAt) / 4 + 1] = c.patch.bytes.length;
    out.set(c.patch.bytes, start + CASE.patchAt + 8);
  }
  return Buffer.from(out.buffer);
}

const X87_DEFAULT = x87Default();

/** Runs cases on the host's CPU. */
export function runOnHost(cases: readonly Case[]): Outcome[] {
  const input = Buffer.concat([encodeLdt(), encode(cases)]);
  const { stdout, status, signal, stderr } = spawnSync(build(), { input, maxBuffer: cases.length * RESULT.most + 65536 });
  const out: Outcome[] = [];
  let at = 0;
  while (at + RESULT.change <= stdout.length) {
    const changes = stdout.readUInt32LE(at + RESULT.changes);
    const end = at + RESULT.change + changes * 16;
    if (end > stdout.length) break;
    out.push(decode(stdout, at, changes));
    at = end;
  }
  if (status !== 0 || at !== stdout.length || out.length !== cases.length) {
    const next = cases[out.length];
    throw new Error(`host-cpu harness: status ${status}, signal ${signal}, ${out.length} of ${cases.length} results, then ${next && `${next.mode} ${next.name} ${Buffer.from(next.code).toString('hex')}`}: ${stderr.toString()}`); // prettier-ignore
  }
  return out;
}

function decode(results: Buffer, at: number, changes: number): Outcome {
  // A copy that is aligned; numbers and vectors are then views of it.
  const bytes = new Uint8Array(RESULT.change + changes * 16);
  bytes.set(results.subarray(at, at + bytes.length));
  const u64 = new BigUint64Array(bytes.buffer);
  const u32 = new Uint32Array(bytes.buffer);
  const half = (from: number): bigint[] => Array.from(u64.subarray(from / 8, from / 8 + 32));
  return {
    gpr: Array.from(u64.subarray(0, 16)),
    flags: u32[32]!,
    rip: u64[17]!,
    vector: u32[36]! | 0,
    error: u32[38]!,
    cr2: u64[20]!,
    selectors: Array.from({ length: 5 }, (_, k) => u32[42 + k * 2]!),
    xmm: half(RESULT.vectors + X87_SIZE),
    ymmHigh: half(RESULT.vectors + X87_SIZE + 256),
    mxcsr: u32[(RESULT.vectors + MXCSR_AT) / 4]!,
    x87: bytes.subarray(RESULT.vectors, RESULT.vectors + X87_SIZE),
    changes: Array.from({ length: changes }, (_, k) => ({ at: u32[RESULT.change / 4 + k * 4]!, value: u64[RESULT.change / 8 + k * 2 + 1]! })),
  };
}
