import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Operations of host.c. */
const sse = [
  'add', 'sub', 'mul', 'div', 'sqrt', 'fma', 'compare', 'quietCompare', 'toI32', 'toI64', 'toI32Zero', 'toI64Zero', 'fromI32', 'fromI64', 'toOther',
  'round', 'fromHalf', 'toHalf',
] as const; // prettier-ignore
const x87 = [
  'fadd', 'fsub', 'fmul', 'fdiv', 'fsqrt', 'fcom', 'fucom', 'fist16', 'fist32', 'fist64', 'fistt64', 'fild64', 'fst32', 'fst64', 'fld32', 'fld64', 'frndint',
  'fprem', 'fprem1',
] as const; // prettier-ignore
const FIRST_X87 = 100;
const WIDE = 256;

export type SseOperation = (typeof sse)[number];
export type X87Operation = (typeof x87)[number];

export interface Request {
  /** SSE operations in double precision (`wide`) or single precision. */
  readonly operation: SseOperation | X87Operation;
  readonly wide?: boolean;
  /** MXCSR or FCW. */
  readonly control: number;
  readonly a: bigint;
  readonly b: bigint;
  readonly c: bigint;
}

export interface Answer {
  /** 80 bits. */
  readonly result: bigint;
  /** MXCSR or FSW. */
  readonly status: number;
}

const REQUEST = 56;
const ANSWER = 32;
let program: string | undefined;

function build(): string {
  if (program === undefined) {
    const directory = mkdtempSync(join(tmpdir(), 'vmxscope-float-'));
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
    program = join(directory, 'host');
    execFileSync('gcc', ['-O1', '-mavx2', '-mfma', '-mf16c', '-o', program, join(import.meta.dirname, 'host.c')], { stdio: 'inherit' });
  }
  return program;
}

function numberOf(r: Request): number {
  const s = (sse as readonly string[]).indexOf(r.operation);
  return s >= 0 ? s | (r.wide ? WIDE : 0) : FIRST_X87 + (x87 as readonly string[]).indexOf(r.operation);
}

/** What the host's processor makes of the operations. */
export function askHost(requests: readonly Request[]): Answer[] {
  const input = Buffer.alloc(requests.length * REQUEST);
  for (const [n, r] of requests.entries()) {
    const at = n * REQUEST;
    input.writeUInt32LE(numberOf(r), at);
    input.writeUInt32LE(r.control, at + 4);
    for (const [k, v] of [r.a, r.b, r.c].entries()) {
      input.writeBigUInt64LE(BigInt.asUintN(64, v), at + 8 + k * 16);
      input.writeUInt16LE(Number(BigInt.asUintN(16, v >> 64n)), at + 16 + k * 16);
    }
  }
  const { stdout, status } = spawnSync(build(), { input, maxBuffer: requests.length * ANSWER + 4096 });
  if (status !== 0 || stdout.length !== requests.length * ANSWER) throw new Error(`host: status ${status}, ${stdout.length} bytes`);
  return requests.map((_, n) => ({
    result: stdout.readBigUInt64LE(n * ANSWER) | (BigInt(stdout.readUInt16LE(n * ANSWER + 8)) << 64n),
    status: stdout.readUInt32LE(n * ANSWER + 16),
  }));
}
