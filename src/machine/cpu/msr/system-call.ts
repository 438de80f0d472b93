/** SYSENTER and SYSCALL, segment bases, IA32_EFER: SDM Vol. 3, 5.8.7, 5.8.8 and 2.2.1. */
import { writeEfer } from '../control-registers.ts';
import type { Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { canonical, MsrSlot, stored, within, type Msr } from './row.ts';

function segmentBase(index: number, name: string, segment: number): Msr {
  return {
    index,
    name,
    section: 'SDM Vol. 3, 3.4.4',
    needs: 'lm',
    read: (cpu: Cpu) => cpu.segments[segment]!.base,
    write(cpu, value) {
      if (!cpu.canonicalBase(value)) throw gp();
      cpu.segments[segment]!.base = value;
    },
  };
}

const SYSENTER = 'SDM Vol. 3, 5.8.7';
const SYSCALL = 'SDM Vol. 3, 5.8.8';

export const systemCallMsrs: readonly Msr[] = [
  stored(0x174, 'IA32_SYSENTER_CS', SYSENTER, MsrSlot.sysenterCs),
  stored(0x175, 'IA32_SYSENTER_ESP', SYSENTER, MsrSlot.sysenterEsp, canonical),
  stored(0x176, 'IA32_SYSENTER_EIP', SYSENTER, MsrSlot.sysenterEip, canonical),
  { index: 0xc000_0080, name: 'IA32_EFER', section: 'SDM Vol. 3, 2.2.1', needs: 'lm', read: (cpu) => cpu.efer, write: writeEfer },
  stored(0xc000_0081, 'IA32_STAR', SYSCALL, MsrSlot.star, undefined, { needs: 'syscall' }),
  stored(0xc000_0082, 'IA32_LSTAR', SYSCALL, MsrSlot.lstar, canonical, { needs: 'syscall' }),
  stored(0xc000_0083, 'IA32_CSTAR', SYSCALL, MsrSlot.cstar, canonical, { needs: 'syscall' }),
  stored(0xc000_0084, 'IA32_FMASK', SYSCALL, MsrSlot.fmask, within(0xffff_ffffn), { needs: 'syscall' }),
  segmentBase(0xc000_0100, 'IA32_FS_BASE', L.FS),
  segmentBase(0xc000_0101, 'IA32_GS_BASE', L.GS),
  stored(0xc000_0102, 'IA32_KERNEL_GS_BASE', 'SDM Vol. 2, SWAPGS', MsrSlot.kernelGsBase, canonical, { needs: 'lm' }),
];
