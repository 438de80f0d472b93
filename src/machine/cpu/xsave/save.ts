/** XSAVE, XSAVEOPT, XSAVEC, XSAVES: SDM Vol. 1, 13.7 and 13.9 to 13.11. */
import type { Cpu } from '../cpu.ts';
import type { Helper } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { advance } from '../system/operands.ts';
import { probeWrite, readLinear, writeBytes, writeLinear } from '../mmu/access.ts';
import { areaAddress, COMPACTED, requested, XCOMP_BV, XSTATE_BV } from './area.ts';
import { areaSize, components, inMask, inUse, offsetIn } from './components.ts';
import { INITIAL_MXCSR, LEGACY_SIZE, MXCSR_AT, storeMxcsr } from './legacy-region.ts';

const SSE = 2n;
const SSE_OR_AVX = 6n;

interface Form {
  /** Leaves out what is in its initial state: XSAVE does not. */
  readonly optimized: boolean;
  readonly compacted: boolean;
  readonly supervisor: boolean;
}

/**
 * The "modified optimization" (13.6) is left to the processor, and made none of: what an area holds then depends on nothing but
 * the state and the instruction.
 */
const save =
  (form: Form): Helper =>
  (cpu, insn) => {
    const rfbm = requested(cpu, form.supervisor);
    const size = areaSize(rfbm, form.compacted);
    const at = areaAddress(cpu, insn, size, true);
    probeWrite(cpu, at, size);
    let used = inUse(cpu) & rfbm;
    // In the compacted forms MXCSR is part of SSE state: SDM Vol. 2, XSAVEC.
    if (form.compacted && (rfbm & SSE) !== 0n && cpu.u32(L.MXCSR) !== INITIAL_MXCSR) used |= SSE;
    store(cpu, insn, at, form.optimized ? used : rfbm, form.compacted ? rfbm : undefined);
    const mxcsr = form.compacted ? used & SSE : rfbm & SSE_OR_AVX;
    if (mxcsr !== 0n) put(cpu, at, MXCSR_AT, MXCSR_AT + 8, (view) => storeMxcsr(cpu, view));
    if (form.compacted) {
      writeLinear(cpu, advance(cpu, at, XSTATE_BV), 8, used);
      writeLinear(cpu, advance(cpu, at, XCOMP_BV), 8, rfbm | COMPACTED);
    } else {
      const old = readLinear(cpu, advance(cpu, at, XSTATE_BV), 8);
      writeLinear(cpu, advance(cpu, at, XSTATE_BV), 8, (old & ~rfbm) | used);
    }
  };

function store(cpu: Cpu, insn: Insn, at: bigint, mask: bigint, compacted: bigint | undefined): void {
  const wide = (insn.rex & 8) !== 0 && cpu.code64;
  for (const c of components) {
    if (!inMask(mask, c)) continue;
    const offset = offsetIn(c, compacted);
    for (const [from, to] of c.ranges(cpu, offset)) put(cpu, at, from, to, (view) => c.store(cpu, view, offset, wide));
  }
}

/** Writes bytes `from` to `to` of an image of the area. */
function put(cpu: Cpu, at: bigint, from: number, to: number, fill: (view: DataView) => void): void {
  const image = new Uint8Array(Math.max(to, LEGACY_SIZE));
  fill(new DataView(image.buffer));
  writeBytes(cpu, advance(cpu, at, from), image.subarray(from, to));
}

export const xsave = save({ optimized: false, compacted: false, supervisor: false });
export const xsaveopt = save({ optimized: true, compacted: false, supervisor: false });
export const xsavec = save({ optimized: true, compacted: true, supervisor: false });
export const xsaves = save({ optimized: true, compacted: true, supervisor: true });
