import { CR0, CR4, Interruptibility } from '../../cpu/cpu.ts';
import { ud } from '../../cpu/fault.ts';
import { readMsr } from '../../cpu/msr.ts';
import { iretInstructions } from '../../cpu/system/iret.ts';
import { Pin, Primary, Secondary } from '../controls.ts';
import { F } from '../fields.ts';
import { pauseLoopExits } from '../pause-loop.ts';
import { ExitReason } from '../reasons.ts';
import { NO_VMCS, setNmiUnblockedBy } from '../state.ts';
import { descriptorTableInfo, displacement, operandAndRegister, operandInfo, operandLinear, randomInfo, systemSegmentInfo } from './info.ts';
import { exitAt, exitBy, primaryOn, privileged, secondaryOn, type Intercept, type InterceptTable } from './intercept.ts';

/** Other system instructions in non-root operation: SDM Vol. 3, 26.1.2, 26.1.3 and 26.3. */

const IA32_XSS = 0xda0;

/** "Descriptor-table exiting": SDM Vol. 3, table 25-7. Stores are legal at CPL > 0 unless CR4.UMIP is 1. */
const descriptorTable =
  (identity: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (!secondaryOn(vmcs, Secondary.descriptorTableExiting)) return false;
    if (cpu.cpl > 0 && (identity >= 2 || (cpu.cr4bits & CR4.UMIP) !== 0)) return false;
    exitAt(cpu, insn, ExitReason.gdtrIdtr, { qualification: displacement(cpu, insn), instructionInfo: descriptorTableInfo(insn, identity) });
  };

const systemSegment =
  (identity: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (!secondaryOn(vmcs, Secondary.descriptorTableExiting) || cpu.realMode || cpu.v8086) return false;
    if (cpu.cpl > 0 && (identity >= 2 || (cpu.cr4bits & CR4.UMIP) !== 0)) return false;
    exitAt(cpu, insn, ExitReason.ldtrTr, { qualification: displacement(cpu, insn), instructionInfo: systemSegmentInfo(insn, identity) });
  };

const random =
  (control: number, reason: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (!secondaryOn(vmcs, control)) return false;
    exitAt(cpu, insn, reason, { instructionInfo: randomInfo(insn) });
  };

/** XSAVES and XRSTORS: SDM Vol. 3, 26.1.3. EDX:EAX, IA32_XSS and the XSS-exiting bitmap decide. */
const supervisorState =
  (reason: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (!secondaryOn(vmcs, Secondary.enableXsaves)) throw ud();
    if (cpu.cpl > 0 || (cpu.cr4bits & CR4.OSXSAVE) === 0 || (cpu.cr0bits & CR0.TS) !== 0) return false;
    const requested = (BigInt(cpu.gpr32(2)) << 32n) | BigInt(cpu.gpr32(0));
    if ((requested & readMsr(cpu, IA32_XSS) & vmcs.big(F.xssExitingBitmap)) === 0n) return false;
    exitAt(cpu, insn, reason, { qualification: displacement(cpu, insn), instructionInfo: operandInfo(insn) });
  };

/**
 * IRET and NMIs: SDM Vol. 3, 26.3. With "NMI exiting" 1 and "virtual NMIs" 0 it does not affect blocking by NMI. Else it removes
 * it even when it then faults, which the exit reports ("NMI unblocking due to IRET").
 */
const iret: Intercept = (cpu, insn, vmcs) => {
  const blocked = (cpu.interruptibility & Interruptibility.nmi) !== 0;
  setNmiUnblockedBy(cpu, blocked ? cpu.rip : NO_VMCS);
  if (!blocked || (vmcs.num(F.pinControls) & (Pin.nmiExiting | Pin.virtualNmis)) !== Pin.nmiExiting) return false;
  setNmiUnblockedBy(cpu, NO_VMCS);
  try {
    iretInstructions['iret']!(cpu, insn);
  } finally {
    // After an exit on the way (EPT violation) the guest's state is in the VMCS and the host has NMIs blocked just as well.
    cpu.interruptibility |= Interruptibility.nmi;
    if (cpu.guest === null) vmcs.setNum(F.guestInterruptibility, vmcs.num(F.guestInterruptibility) | Interruptibility.nmi);
  }
  return true;
};

export const systemIntercepts: InterceptTable = {
  cpuid: (cpu, insn) => exitBy(cpu, insn, ExitReason.cpuid),
  hlt: privileged(Primary.hltExiting, ExitReason.hlt),
  invd(cpu, insn) {
    if (cpu.cpl > 0) return false;
    return exitBy(cpu, insn, ExitReason.invd);
  },
  invlpg(cpu, insn, vmcs) {
    if (cpu.cpl > 0 || !primaryOn(vmcs, Primary.invlpgExiting)) return false;
    exitAt(cpu, insn, ExitReason.invlpg, { qualification: operandLinear(cpu, insn) });
  },
  invpcid(cpu, insn, vmcs) {
    if (!secondaryOn(vmcs, Secondary.enableInvpcid)) throw ud();
    if (cpu.cpl > 0 || !primaryOn(vmcs, Primary.invlpgExiting)) return false;
    exitAt(cpu, insn, ExitReason.invpcid, { qualification: displacement(cpu, insn), instructionInfo: operandAndRegister(insn) });
  },
  rdpmc(cpu, insn, vmcs) {
    if ((cpu.cpl > 0 && (cpu.cr4bits & CR4.PCE) === 0 && !cpu.realMode) || !primaryOn(vmcs, Primary.rdpmcExiting)) return false;
    return exitBy(cpu, insn, ExitReason.rdpmc);
  },
  rdtsc(cpu, insn, vmcs) {
    if ((cpu.cpl > 0 && (cpu.cr4bits & CR4.TSD) !== 0) || !primaryOn(vmcs, Primary.rdtscExiting)) return false;
    return exitBy(cpu, insn, ExitReason.rdtsc);
  },
  rdtscp(cpu, insn, vmcs) {
    if (!secondaryOn(vmcs, Secondary.enableRdtscp)) throw ud();
    if ((cpu.cpl > 0 && (cpu.cr4bits & CR4.TSD) !== 0) || !primaryOn(vmcs, Primary.rdtscExiting)) return false;
    return exitBy(cpu, insn, ExitReason.rdtscp);
  },
  // It reads IA32_TSC_AUX as RDTSCP does, and depends on the same control.
  rdpid(_cpu, _insn, vmcs) {
    if (!secondaryOn(vmcs, Secondary.enableRdtscp)) throw ud();
    return false;
  },
  pause(cpu, insn, vmcs) {
    // "PAUSE exiting" goes before "PAUSE-loop exiting", which is for CPL 0 only.
    const loop = !primaryOn(vmcs, Primary.pauseExiting);
    if (loop && (cpu.cpl > 0 || !secondaryOn(vmcs, Secondary.pauseLoopExiting) || !pauseLoopExits(cpu, vmcs))) return false;
    return exitBy(cpu, insn, ExitReason.pause);
  },
  monitor: privileged(Primary.monitorExiting, ExitReason.monitor),
  mwait: privileged(Primary.mwaitExiting, ExitReason.mwait),
  wbinvd(cpu, insn, vmcs) {
    if (cpu.cpl > 0 || !secondaryOn(vmcs, Secondary.wbinvdExiting)) return false;
    return exitBy(cpu, insn, ExitReason.wbinvd);
  },
  xsetbv(cpu, insn) {
    if (cpu.cpl > 0 || (cpu.cr4bits & CR4.OSXSAVE) === 0) return false;
    return exitBy(cpu, insn, ExitReason.xsetbv);
  },
  sgdt: descriptorTable(0),
  sidt: descriptorTable(1),
  lgdt: descriptorTable(2),
  lidt: descriptorTable(3),
  sldt: systemSegment(0),
  str: systemSegment(1),
  lldt: systemSegment(2),
  ltr: systemSegment(3),
  rdrand: random(Secondary.rdrandExiting, ExitReason.rdrand),
  rdseed: random(Secondary.rdseedExiting, ExitReason.rdseed),
  xsaves: supervisorState(ExitReason.xsaves),
  xrstors: supervisorState(ExitReason.xrstors),
  iret,
};
