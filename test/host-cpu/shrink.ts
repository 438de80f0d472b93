import type { Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Case } from './case.ts';

const isProgram = (c: Case): c is Program => 'pieces' in c;

/** The same case with something left out, one thing at a time: a piece of a program, a register's value, the flags. */
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
  if (c.xmm.some((v) => v !== 0n)) yield { ...c, xmm: c.xmm.map(() => 0n) };
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
