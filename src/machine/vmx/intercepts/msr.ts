import type { Cpu } from '../../cpu/cpu.ts';
import { readVirtualMsr, writeVirtualMsr } from '../apic/msrs.ts';
import { Primary } from '../controls.ts';
import { F } from '../fields.ts';
import { ExitReason } from '../reasons.ts';
import type { Vmcs } from '../vmcs.ts';
import { exitBy, primaryOn, type InterceptTable } from './intercept.ts';

/** The four bitmaps of the page: SDM Vol. 3, 25.6.9. MSRs outside both ranges exit. */
const HIGH = 0x400;
const WRITES = 0x800;

function exits(cpu: Cpu, vmcs: Vmcs, write: boolean): boolean {
  if (!primaryOn(vmcs, Primary.useMsrBitmaps)) return true;
  const index = cpu.gpr32(1);
  const low = index & 0x1fff;
  const range = index >>> 0 === low ? 0 : index >>> 0 === 0xc000_0000 + low ? HIGH : -1;
  if (range < 0) return true;
  const at = Number(vmcs.big(F.msrBitmaps)) + range + (write ? WRITES : 0) + (low >> 3);
  return ((cpu.machine.memory.read(at, 1) >> (low & 7)) & 1) !== 0;
}

/** RDMSR and WRMSR: SDM Vol. 3, 26.1.3. #GP at CPL > 0 comes first. */
export const msrIntercepts: InterceptTable = {
  rdmsr(cpu, insn, vmcs) {
    if (cpu.cpl > 0) return false;
    if (!exits(cpu, vmcs, false)) return readVirtualMsr(cpu, vmcs, cpu.gpr32(1));
    return exitBy(cpu, insn, ExitReason.rdmsr);
  },
  wrmsr(cpu, insn, vmcs) {
    if (cpu.cpl > 0) return false;
    if (!exits(cpu, vmcs, true)) return writeVirtualMsr(cpu, vmcs, cpu.gpr32(1));
    return exitBy(cpu, insn, ExitReason.wrmsr);
  },
};
