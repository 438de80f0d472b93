import { Flag } from '../cpu.ts';
import * as L from '../layout.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';

/** CLI at CPL 0: SDM Vol. 2, CLI. */
export function cli(q: Quick): void {
  q.giveUpIf(q.u32(L.CPL));
  q.setU32(L.SYSFLAGS, w.and(q.u32(L.SYSFLAGS), w.i32(~Flag.IF)));
  q.advance();
}
