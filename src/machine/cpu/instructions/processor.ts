import { Flag } from '../cpu.ts';
import { cpuid } from '../cpuid.ts';
import { gp, ud } from '../fault.ts';
import type { Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { readLinear } from '../mmu/access.ts';
import { linearOf } from '../system/operands.ts';
import { requireCpl0 } from './control-register.ts';

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3] as const;

/** Caches are not modelled: the privilege check is all there is. */
const cacheFlush: Helper = (cpu) => requireCpl0(cpu);

/** CLAC and STAC: #UD at CPL > 0 and without SMAP. */
function setAc(cpu: Cpu, on: boolean): void {
  if (!cpu.model.features.has('smap') || cpu.cpl !== 0) throw ud();
  cpu.sysflags = on ? cpu.sysflags | Flag.AC : cpu.sysflags & ~Flag.AC;
}

/** MONITOR and MWAIT: #UD without the feature and, IA32_MISC_ENABLE being as it is, at CPL > 0. */
function requireMonitor(cpu: Cpu): void {
  if (!cpu.model.features.has('monitor') || cpu.cpl !== 0) throw ud();
}

/** CPUID, caches, hints: SDM Vol. 2. */
export const processorInstructions: HelperTable = {
  cpuid(cpu) {
    const { eax, ebx, ecx, edx } = cpuid(cpu, cpu.gpr32(RAX), cpu.gpr32(RCX));
    cpu.setGpr32(RAX, eax);
    cpu.setGpr32(RBX, ebx);
    cpu.setGpr32(RCX, ecx);
    cpu.setGpr32(RDX, edx);
  },
  wbinvd: cacheFlush,
  invd: cacheFlush,
  wbnoinvd: cacheFlush,
  clac: (cpu) => setAc(cpu, false),
  stac: (cpu) => setAc(cpu, true),
  pause() {},
  /** The address is checked as a byte read is. */
  monitor(cpu, insn) {
    requireMonitor(cpu);
    if (cpu.gpr32(RCX) !== 0) throw gp();
    readLinear(cpu, linearOf(cpu, insn.segment, cpu.readGpr(RAX, insn.addrsize), 1, false), 1);
  },
  /** A processor may leave the optimized state at any time: we never enter it. */
  mwait(cpu) {
    requireMonitor(cpu);
    if (cpu.gpr32(RCX) !== 0) throw gp();
  },
};
