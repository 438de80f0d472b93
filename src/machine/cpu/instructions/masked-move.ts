import { CR0, CR4, type Cpu } from '../cpu.ts';
import { nm, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import { advance, linearOf, mask } from '../system/operands.ts';
import { checkSse } from '../system/fxsave.ts';

/** #UD and #NM of VEX instructions on vectors: SDM Vol. 2, table 2-17. */
export function checkAvx(cpu: Cpu): void {
  const enabled = (cpu.cr4bits & CR4.OSXSAVE) !== 0 && (cpu.u32(L.XCR0) & 6) === 6;
  if (!enabled || cpu.realMode || cpu.v8086) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
}

const vector = (n: number): number => L.VECTORS + n * L.VECTOR_SIZE;

/** MASKMOVDQU: the bytes whose mask has its bit 7 set, to [rDI]. SDM Vol. 2. */
function maskmov(cpu: Cpu, insn: Insn): void {
  const { u8 } = cpu.m;
  const [source, signs] = [cpu.block + vector(insn.reg), cpu.block + vector(insn.rm)];
  const offset = cpu.readGpr(7, insn.addrsize);
  const chosen = Array.from({ length: 16 }, (_, n) => n).filter((n) => u8[signs + n]! >= 0x80);
  if (chosen.length === 0) return;
  // Whether unselected bytes can fault is the processor's own matter: as on AMD's, the access is one of 16 bytes.
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

export const maskedMoveInstructions: HelperTable = {
  maskmovdqu(cpu, insn) {
    checkSse(cpu);
    maskmov(cpu, insn);
  },
  vmaskmovdqu(cpu, insn) {
    checkAvx(cpu);
    maskmov(cpu, insn);
  },
  vgatherdd: gather(4, 4),
  vgatherdq: gather(4, 8),
  vgatherqd: gather(8, 4),
  vgatherqq: gather(8, 8),
};
