import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import { advance, effectiveAddress, linearOf, mask } from '../system/operands.ts';
import { checkAvx, checkSse } from '../system/fxsave.ts';

const vector = (n: number): number => L.VECTORS + n * L.VECTOR_SIZE;

/** MASKMOVDQU: the bytes whose mask has its bit 7 set, to [rDI]. SDM Vol. 2. */
function maskmov(cpu: Cpu, insn: Insn): void {
  const { u8 } = cpu.m;
  const [source, signs] = [cpu.block + vector(insn.reg), cpu.block + vector(insn.rm)];
  const offset = cpu.readGpr(7, insn.addrsize);
  const chosen = Array.from({ length: 16 }, (_, n) => n).filter((n) => u8[signs + n]! >= 0x80);
  // Whether bytes that are not chosen can fault is the processor's own matter: as on AMD's, the access is one of 16 bytes.
  const start = linearOf(cpu, insn.segment, offset, 16, true);
  probeWrite(cpu, start, 16);
  for (const n of chosen) writeLinear(cpu, advance(cpu, start, n), 1, BigInt(u8[source + n]!));
}

/**
 * VPGATHER and VGATHER where addresses are segmented or short: elements are read in order, and a fault leaves those before
 * it done and their masks clear. SDM Vol. 2, VPGATHERDD. Flat ones are emitted code (semantics/vector/masked.ts).
 */
const gather =
  (indexBytes: 4 | 8, size: 4 | 8) =>
  (cpu: Cpu, insn: Insn): void => {
    checkAvx(cpu);
    const { view } = cpu.m;
    const [d, indices, signs] = [vector(insn.reg), vector(insn.index), vector(insn.vvvv!)].map((at) => cpu.block + at) as [number, number, number];
    const wide = insn.vectorBytes === 32;
    const count = (wide ? 32 : 16) / Math.max(indexBytes, size);
    for (let n = 0; n < count; n++) {
      if (view.getInt32(signs + n * size + size - 4, true) < 0) {
        const index = indexBytes === 4 ? BigInt(view.getInt32(indices + n * 4, true)) : view.getBigInt64(indices + n * 8, true);
        const base = insn.base === 16 ? cpu.nextRip : insn.base >= 0 ? cpu.gpr(insn.base) : 0n;
        const offset = mask(base + insn.disp + (index << BigInt(insn.scale)), insn.addrsize);
        const value = readLinear(cpu, linearOf(cpu, insn.segment, offset, size, false), size);
        if (size === 4) view.setUint32(d + n * 4, Number(value), true);
        else view.setBigUint64(d + n * 8, value, true);
      }
      cpu.m.u8.fill(0, signs + n * size, signs + n * size + size);
    }
    cpu.m.u8.fill(0, d + count * size, d + 32);
    cpu.m.u8.fill(0, signs, signs + 32);
  };

/** VMASKMOV and VPMASKMOV likewise: the chosen elements, each at an address of its own. */
const maskedMove =
  (size: 4 | 8, write: boolean) =>
  (cpu: Cpu, insn: Insn): void => {
    checkAvx(cpu);
    const { view, u8 } = cpu.m;
    const length = insn.vectorBytes ?? 16;
    const [data, signs] = [cpu.block + vector(insn.reg), cpu.block + vector(insn.vvvv!)];
    const start = effectiveAddress(cpu, insn);
    const chosen: { readonly offset: number; readonly linear: bigint; readonly value: bigint }[] = [];
    // Element by element: the lowest that faults counts, whichever its fault is.
    for (let offset = 0; offset < length; offset += size) {
      if (view.getInt32(signs + offset + size - 4, true) >= 0) continue;
      const linear = linearOf(cpu, insn.segment, mask(start + BigInt(offset), insn.addrsize), size, write);
      if (write) probeWrite(cpu, linear, size);
      const at = data + offset;
      const own = size === 4 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
      chosen.push({ offset, linear, value: write ? own : readLinear(cpu, linear, size) });
    }
    if (!write) u8.fill(0, data, data + 32);
    for (const { offset, linear, value } of chosen) {
      if (write) writeLinear(cpu, linear, size, value);
      else if (size === 4) view.setUint32(data + offset, Number(value), true);
      else view.setBigUint64(data + offset, value, true);
    }
  };

export const maskedMoveInstructions: HelperTable = {
  maskmovdqu(cpu, insn) {
    checkSse(cpu);
    maskmov(cpu, insn);
  },
  vmaskmovdqu(cpu, insn) {
    checkAvx(cpu);
    maskmov(cpu, insn);
  },
  vmaskload32: maskedMove(4, false),
  vmaskload64: maskedMove(8, false),
  vmaskstore32: maskedMove(4, true),
  vmaskstore64: maskedMove(8, true),
  vgatherdd: gather(4, 4),
  vgatherdq: gather(4, 8),
  vgatherqd: gather(8, 4),
  vgatherqq: gather(8, 8),
};
