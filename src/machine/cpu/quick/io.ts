import * as L from '../layout.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

type Width = 1 | 2 | 4;

/** An I/O breakpoint may be enabled: the low byte of DR7. */
const ENABLES = 0xff;

/** IOPL permits; no VM exit and no breakpoint can come of it. The bitmap of the TSS is for TypeScript: SDM Vol. 1, 19.5. */
function giveUpUnlessPermitted(q: Quick): void {
  const iopl = w.and(w.shrU(q.u32(L.SYSFLAGS), w.i32(12)), w.i32(3));
  q.giveUpIf(w.gtU(q.u32(L.CPL), iopl));
  q.giveUpIf(w.and(q.u32(L.DR0 + 7 * 8), w.i32(ENABLES)));
  q.giveUpInGuest();
}

/** IN and OUT: SDM Vol. 2. The port's device is TypeScript; all around it is not. */
const input =
  (size: Width, port: (q: Quick) => Value) =>
  (q: Quick): void => {
    giveUpUnlessPermitted(q);
    const next = q.let(q.nextRip());
    const value = q.call('portIn', w.or(port(q), w.i32(size << 16)));
    if (size === 4) q.setU64(L.GPR, w.unsigned64(value));
    else q.f.do((size === 2 ? w.store16 : w.store8)(q.c, value, L.GPR));
    q.goTo(next);
  };

const output =
  (size: Width, port: (q: Quick) => Value) =>
  (q: Quick): void => {
    giveUpUnlessPermitted(q);
    const next = q.let(q.nextRip());
    const value = (size === 4 ? w.load32 : size === 2 ? w.load16u : w.load8u)(q.c, L.GPR);
    q.f.do([q.call('portOut', w.or(port(q), w.i32(size << 16)), value).code, DROP]);
    q.goTo(next);
  };

const DROP = 0x1a;
const immediate = (q: Quick): Value => q.imm();
const dx = (q: Quick): Value => w.load16u(q.c, L.GPR + 2 * 8);

/** By name and operand size; REX.W changes nothing. */
export const ioHelpers = Object.fromEntries(
  ([[8, 1], [16, 2], [32, 4], [64, 4]] as const).flatMap(([bits, size]) => [
    [`in_imm${bits}`, input(size, immediate)],
    [`in_dx${bits}`, input(size, dx)],
    [`out_imm${bits}`, output(size, immediate)],
    [`out_dx${bits}`, output(size, dx)],
  ]),
); // prettier-ignore
