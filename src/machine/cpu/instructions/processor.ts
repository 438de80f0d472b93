import { Flag } from '../cpu.ts';
import { cpuid } from '../cpuid.ts';
import { ud } from '../fault.ts';
import type { Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { requireCpl0 } from './control-register.ts';

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3] as const;

/** Caches are not modelled: the privilege check is all there is. */
const cacheFlush: Helper = (cpu) => requireCpl0(cpu);

/** CLAC and STAC: #UD at CPL > 0. */
function setAc(cpu: Cpu, on: boolean): void {
  if (cpu.cpl !== 0) throw ud();
  cpu.sysflags = on ? cpu.sysflags | Flag.AC : cpu.sysflags & ~Flag.AC;
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
  // A loop that waits for another CPU: its turn is over. In VMX non-root operation PAUSE-loop exiting counts the time between them.
  pause(cpu) {
    if (!cpu.guest) cpu.machine.yieldTurn();
  },
  /** Every helper ends its block, and no store waits: all that was asked for has happened already. */
  serialize() {},
};
