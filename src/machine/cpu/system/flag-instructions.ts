import { Flag, Interruptibility, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { gp } from '../fault.ts';
import { bytesOf } from './operands.ts';
import { COMMON_FLAGS, iopl, loadFlags } from './rflags.ts';
import { currentStack, push } from './stack.ts';
import { checkVirtualIf, checkVirtualImage, virtualFlags, virtualInterruptFlag, virtualInV8086, withVirtualIf } from './virtual-interrupts.ts';

/** CLI and STI need IOPL >= CPL, or CR4.VME or CR4.PVI; v8086 mode runs at CPL 3: SDM Vol. 2, CLI and STI. */
function checkIopl(cpu: Cpu): void {
  if (!cpu.realMode && cpu.cpl > iopl(cpu)) throw gp();
}

/** PUSHF and POPF are sensitive to IOPL in v8086 mode only: SDM Vol. 3, 20.2.7. */
function checkV8086Iopl(cpu: Cpu): void {
  if (cpu.v8086 && iopl(cpu) < 3) throw gp();
}

function sti(cpu: Cpu): void {
  if (virtualInterruptFlag(cpu)) {
    checkVirtualIf(cpu, true);
    loadFlags(cpu, Flag.VIF, Flag.VIF);
    return;
  }
  checkIopl(cpu);
  // Interrupts stay inhibited for one instruction, but only when IF was clear: SDM Vol. 2, STI.
  if ((cpu.sysflags & Flag.IF) === 0) cpu.interruptibility |= Interruptibility.sti;
  loadFlags(cpu, Flag.IF, Flag.IF);
}

function cli(cpu: Cpu): void {
  const virtual = virtualInterruptFlag(cpu);
  if (!virtual) checkIopl(cpu);
  loadFlags(cpu, 0, virtual ? Flag.VIF : Flag.IF);
}

/** SDM Vol. 2, PUSHF: VM and RF read as 0. */
function pushf(cpu: Cpu, opsize: number): void {
  if (opsize === 16 && virtualInV8086(cpu)) {
    push(cpu, 16, BigInt(virtualFlags(cpu) & 0xffff));
    return;
  }
  checkV8086Iopl(cpu);
  push(cpu, opsize, BigInt(cpu.rflags & ~(Flag.VM | Flag.RF)));
}

/** POPF of an 8086 program with CR4.VME and IOPL below 3: its IF is VIF. */
function popVirtual(cpu: Cpu): void {
  const stack = currentStack(cpu);
  const flags = Number(stack.pop(2));
  checkVirtualImage(cpu, flags);
  stack.commit();
  loadFlags(cpu, withVirtualIf(flags), COMMON_FLAGS | Flag.VIF);
}

/** SDM Vol. 2, POPF, table 4-16: VM, VIF and VIP never change, RF becomes 0 in the wide forms. */
function popf(cpu: Cpu, opsize: number): void {
  if (opsize === 16 && virtualInV8086(cpu)) {
    popVirtual(cpu);
    return;
  }
  checkV8086Iopl(cpu);
  const stack = currentStack(cpu);
  const flags = Number(stack.pop(bytesOf(opsize) as 2 | 4 | 8) & 0xffff_ffffn) & ~Flag.RF;
  let change: number = COMMON_FLAGS;
  if (opsize !== 16) change |= Flag.RF | Flag.AC | Flag.ID;
  if (cpu.realMode || cpu.cpl <= iopl(cpu)) change |= Flag.IF;
  if (cpu.realMode || cpu.cpl === 0) change |= Flag.IOPL;
  stack.commit();
  loadFlags(cpu, flags, change);
}

export const flagInstructions: HelperTable = {
  cli,
  sti,
  pushf: (cpu, insn) => pushf(cpu, insn.opsize),
  popf: (cpu, insn) => popf(cpu, insn.opsize),
};
