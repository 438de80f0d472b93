/** XRSTOR and XRSTORS: SDM Vol. 1, 13.8 and 13.12. */
import type { Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import type { Helper } from '../helper.ts';
import * as L from '../layout.ts';
import { readBytes } from '../mmu/access.ts';
import { areaAddress, COMPACTED, HEADER, requested, XCOMP_BV, XSTATE_BV } from './area.ts';
import { components, inMask, offsetIn, xss } from './components.ts';
import { INITIAL_MXCSR, MXCSR_MASK, mxcsrIn } from './legacy-region.ts';

const SSE = 2n;
const SSE_OR_AVX = 6n;
const HEADER_SIZE = 64;

interface Header {
  readonly state: bigint;
  /** The components that have a place; undefined in the standard format. */
  readonly compacted: bigint | undefined;
}

/** The header's own rules. `enabled`: XCR0, or XCR0 | IA32_XSS. */
function checkHeader(cpu: Cpu, view: DataView, enabled: bigint, supervisor: boolean): Header {
  const state = view.getBigUint64(XSTATE_BV, true);
  const layout = view.getBigUint64(XCOMP_BV, true);
  const clear = (from: number, to: number): boolean => {
    for (let n = from; n < to; n += 8) if (view.getBigUint64(HEADER + n, true) !== 0n) return false;
    return true;
  };
  const compacted = (layout & COMPACTED) !== 0n;
  if (supervisor && !compacted) throw gp();
  if (!compacted) {
    // Bytes 63:24 are not looked at.
    if ((state & ~enabled) !== 0n || !clear(8, 24)) throw gp();
    return { state, compacted: undefined };
  }
  const places = layout & ~COMPACTED;
  if (!cpu.model.features.has('xsavec') || (places & ~enabled) !== 0n || (state & ~places) !== 0n || !clear(16, 64)) throw gp();
  return { state, compacted: places };
}

const restore =
  (supervisor: boolean): Helper =>
  (cpu, insn) => {
    const rfbm = requested(cpu, supervisor);
    const at = areaAddress(cpu, insn, HEADER + HEADER_SIZE, false);
    const header = readBytes(cpu, at, HEADER + HEADER_SIZE);
    const enabled = cpu.u64(L.XCR0) | (supervisor ? xss(cpu) : 0n);
    const { state, compacted } = checkHeader(cpu, new DataView(header.buffer, header.byteOffset), enabled, supervisor);
    const loaded = rfbm & state;
    const size = Math.max(header.length, ...components.filter((c) => c.bit >= 2 && inMask(loaded, c)).map((c) => offsetIn(c, compacted) + c.size));
    const image = size > header.length ? readBytes(cpu, areaAddress(cpu, insn, size, false), size) : header;
    const view = new DataView(image.buffer, image.byteOffset);
    // In the compacted form MXCSR is part of SSE state; in the standard one it is loaded with SSE or AVX, whatever XSTATE_BV says.
    const mxcsr = compacted === undefined ? (rfbm & SSE_OR_AVX) !== 0n : (loaded & SSE) !== 0n;
    if (mxcsr && (mxcsrIn(view) & ~MXCSR_MASK) !== 0) throw gp();
    for (const c of components) if (inMask(loaded, c) && c.legal?.(cpu, view, offsetIn(c, compacted)) === false) throw gp();
    const wide = (insn.rex & 8) !== 0 && cpu.code64;
    for (const c of components) {
      if (!inMask(rfbm, c)) continue;
      if (inMask(state, c)) c.load(cpu, view, offsetIn(c, compacted), wide);
      else c.init(cpu);
    }
    if (mxcsr) cpu.setU32(L.MXCSR, mxcsrIn(view));
    else if ((rfbm & SSE) !== 0n) cpu.setU32(L.MXCSR, INITIAL_MXCSR);
  };

export const xrstor = restore(false);
export const xrstors = restore(true);
