import { CR4, type Cpu } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { FS, GS } from '../layout.ts';
import { MsrSlot, msrSlot, setMsrSlot } from '../msr.ts';
import { requireCpl0 } from './control-register.ts';

function requireFsGsBase(cpu: Cpu): void {
  if (!cpu.code64 || (cpu.cr4bits & CR4.FSGSBASE) === 0) throw ud();
}

const readBase =
  (segment: number): Helper =>
  (cpu, insn) => {
    requireFsGsBase(cpu);
    cpu.writeGpr(insn.rm, insn.opsize, BigInt.asUintN(insn.opsize, cpu.segments[segment]!.base));
  };

const writeBase =
  (segment: number): Helper =>
  (cpu, insn) => {
    requireFsGsBase(cpu);
    const value = cpu.readGpr(insn.rm, insn.opsize);
    if (!cpu.canonicalBase(value)) throw gp();
    cpu.segments[segment]!.base = value;
  };

/** FS and GS bases: SDM Vol. 2, RDFSBASE, WRFSBASE, SWAPGS. */
export const segmentBaseInstructions: HelperTable = {
  rdfsbase: readBase(FS),
  rdgsbase: readBase(GS),
  wrfsbase: writeBase(FS),
  wrgsbase: writeBase(GS),
  swapgs(cpu) {
    if (!cpu.code64) throw ud();
    requireCpl0(cpu);
    const gs = cpu.segments[GS]!;
    const kernel = msrSlot(cpu, MsrSlot.kernelGsBase);
    setMsrSlot(cpu, MsrSlot.kernelGsBase, gs.base);
    gs.base = kernel;
  },
};
