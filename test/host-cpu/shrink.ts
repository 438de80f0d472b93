import type { Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Case } from './case.ts';
import { MXCSR_DEFAULT, x87Default } from './case.ts';

const PLAIN_X87 = x87Default();
const isProgram = (c: Case): c is Program => 'pieces' in c;

/** The same case with something left out, one thing at a time: a piece of a program, a register's value, a lane, the flags. */
function* simpler(c: Case): Generator<Case> {
  if (isProgram(c)) {
    for (let n = 0; n < c.pieces.length; n++) yield makeProgram({ ...c, pieces: c.pieces.toSpliced(n, 1) });
    if (c.start !== 0) yield makeProgram({ ...c, start: 0 });
    for (let n = 0; n < c.pieces.length; n++) {
      const piece = c.pieces[n]!;
      for (let k = 0; piece.length > 1 && k < piece.length; k++) yield makeProgram({ ...c, pieces: c.pieces.with(n, piece.toSpliced(k, 1)) });
    }
  }
  if (c.flags !== 0) yield { ...c, flags: 0 };
  if (c.mxcsr !== undefined && c.mxcsr !== MXCSR_DEFAULT) yield { ...c, mxcsr: MXCSR_DEFAULT };
  if (c.x87 && Buffer.compare(c.x87, PLAIN_X87) !== 0) {
    yield { ...c, x87: PLAIN_X87 };
    for (let n = 0; n < 8; n++) {
      const at = 32 + n * 16;
      if (c.x87.subarray(at, at + 10).some((b) => b !== 0)) yield { ...c, x87: c.x87.map((b, k) => (k >= at && k < at + 10 ? 0 : b)) };
    }
  }
  if (c.patch?.bytes.some((b) => b !== 0)) {
    const { at, bytes } = c.patch;
    yield { ...c, patch: { at, bytes: bytes.map(() => 0) } };
    for (let n = 0; n < bytes.length; n += 4)
      if (bytes.subarray(n, n + 4).some((b) => b !== 0)) yield { ...c, patch: { at, bytes: bytes.map((b, k) => (k >= n && k < n + 4 ? 0 : b)) } };
  }
  if (c.ymmHigh?.some((v) => v !== 0n)) yield { ...c, ymmHigh: c.ymmHigh.map(() => 0n) };
  if (c.xmm.some((v) => v !== 0n)) yield { ...c, xmm: c.xmm.map(() => 0n) };
  for (const [n, v] of c.xmm.entries()) if (v !== 0n) yield { ...c, xmm: c.xmm.with(n, 0n) };
  for (const [n, v] of (c.ymmHigh ?? []).entries()) if (v !== 0n) yield { ...c, ymmHigh: c.ymmHigh!.with(n, 0n) };
  for (const [n, v] of c.gpr.entries()) if (v !== 0n) yield { ...c, gpr: c.gpr.with(n, 0n) };
}

/** Makes a failing case smaller as long as it fails. `fails` is asked about many candidates at once. */
export function shrink(c: Case, fails: (candidates: readonly Case[]) => boolean[]): Case {
  for (let best = c; ;) {
    const candidates = [...simpler(best)];
    if (candidates.length === 0) return best;
    const smaller = candidates[fails(candidates).indexOf(true)];
    if (!smaller) return best;
    best = smaller;
  }
}
