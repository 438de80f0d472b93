import { CR4, type Cpu } from '../../cpu/cpu.ts';
import { gp } from '../../cpu/fault.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { writeCr0, writeCr4 } from '../../cpu/control-registers.ts';
import { readRm, writeRm } from '../../cpu/system/operands.ts';
import { readVirtual, Reg, writeVirtual } from '../apic/registers.ts';
import { afterInstruction, virtualizeTpr } from '../apic/virtual-interrupts.ts';
import { Primary, Secondary } from '../controls.ts';
import { F, type VmcsField } from '../fields.ts';
import { ExitReason } from '../reasons.ts';
import type { Vmcs } from '../vmcs.ts';
import { operandLinear } from './info.ts';
import { exitAt, primaryOn, secondaryOn, type Intercept, type InterceptTable } from './intercept.ts';

/** MOV CR, CLTS, LMSW, SMSW, MOV DR in non-root operation: SDM Vol. 3, 26.1.3 and 26.3. Qualification: table 28-3. */
const Access = { toCr: 0 << 4, fromCr: 1 << 4, clts: 2 << 4, lmsw: 3 << 4 } as const;
const LMSW_MEMORY = 1 << 6;
/** PE, MP, EM and TS: what LMSW writes. */
const MSW = 0xfn;
const TS = 8n;
const PE = 1n;

const operandBits = (cpu: Cpu): 32 | 64 => (cpu.code64 ? 64 : 32);
const movQualification = (cr: number, access: number, register: number): bigint => BigInt(cr | access | (register << 8));

function crAccess(cpu: Cpu, insn: Insn, qualification: bigint, linear?: bigint): never {
  exitAt(cpu, insn, ExitReason.controlRegister, { qualification, linear });
}

/** Bits owned by the host keep their value in the register; the read shadow is what the guest believes. */
function merge(register: bigint, value: bigint, mask: bigint): bigint {
  return (register & mask) | (value & ~mask);
}
function guestView(vmcs: Vmcs, register: bigint, mask: VmcsField<'natural'>, shadow: VmcsField<'natural'>): bigint {
  const m = vmcs.big(mask);
  return (register & ~m) | (vmcs.big(shadow) & m);
}

const cr0View = (cpu: Cpu, vmcs: Vmcs): bigint => guestView(vmcs, cpu.cr0, F.cr0Mask, F.cr0Shadow);
const setCr0 = (cpu: Cpu, vmcs: Vmcs, value: bigint): void => writeCr0(cpu, value, secondaryOn(vmcs, Secondary.unrestrictedGuest));

const cr3Targets = [F.cr3Target0, F.cr3Target1, F.cr3Target2, F.cr3Target3];
function isCr3Target(vmcs: Vmcs, value: bigint): boolean {
  const count = vmcs.num(F.cr3TargetCount);
  return cr3Targets.some((f, n) => n < count && vmcs.big(f) === value);
}

/** MOV to CR8 with "use TPR shadow": SDM Vol. 3, 30.3 and 30.1.2. */
function writeVirtualCr8(cpu: Cpu, vmcs: Vmcs, value: bigint): boolean {
  if (value > 15n) throw gp();
  return afterInstruction(cpu, () => {
    writeVirtual(cpu, vmcs, Reg.tpr, Number(value) << 4);
    return virtualizeTpr(cpu, vmcs);
  });
}

const movToCr: Intercept = (cpu, insn, vmcs) => {
  if (cpu.cpl > 0) return false;
  const value = cpu.readGpr(insn.rm, operandBits(cpu));
  const exit = (): never => crAccess(cpu, insn, movQualification(insn.reg, Access.toCr, insn.rm));
  switch (insn.reg) {
    case 0: {
      const mask = vmcs.big(F.cr0Mask);
      if (((value ^ vmcs.big(F.cr0Shadow)) & mask) !== 0n) exit();
      setCr0(cpu, vmcs, merge(cpu.cr0, value, mask));
      return true;
    }
    case 3:
      if (primaryOn(vmcs, Primary.cr3LoadExiting) && !isCr3Target(vmcs, value)) exit();
      return false;
    case 4: {
      const mask = vmcs.big(F.cr4Mask);
      if (((value ^ vmcs.big(F.cr4Shadow)) & mask) !== 0n) exit();
      writeCr4(cpu, merge(cpu.cr4, value, mask));
      return true;
    }
    case 8:
      if (primaryOn(vmcs, Primary.cr8LoadExiting)) exit();
      return primaryOn(vmcs, Primary.useTprShadow) && writeVirtualCr8(cpu, vmcs, value);
    default:
      return false;
  }
};

const movFromCr: Intercept = (cpu, insn, vmcs) => {
  if (cpu.cpl > 0) return false;
  const exit = (): never => crAccess(cpu, insn, movQualification(insn.reg, Access.fromCr, insn.rm));
  const give = (value: bigint): true => {
    const bits = operandBits(cpu);
    cpu.writeGpr(insn.rm, bits, BigInt.asUintN(bits, value));
    return true;
  };
  switch (insn.reg) {
    case 0:
      return give(cr0View(cpu, vmcs));
    case 3:
      if (primaryOn(vmcs, Primary.cr3StoreExiting)) exit();
      return false;
    case 4:
      return give(guestView(vmcs, cpu.cr4, F.cr4Mask, F.cr4Shadow));
    case 8:
      if (primaryOn(vmcs, Primary.cr8StoreExiting)) exit();
      return primaryOn(vmcs, Primary.useTprShadow) && give(BigInt((readVirtual(cpu, vmcs, Reg.tpr) >> 4) & 15));
    default:
      return false;
  }
};

/** CLTS: exits when the host owns TS and the guest believes it set; changes nothing when it believes it clear. */
const clts: Intercept = (cpu, insn, vmcs) => {
  if (cpu.cpl > 0) return false;
  const owned = vmcs.big(F.cr0Mask) & TS;
  if (owned === 0n) return false;
  if ((vmcs.big(F.cr0Shadow) & TS) !== 0n) crAccess(cpu, insn, BigInt(Access.clts));
  return true;
};

const lmsw: Intercept = (cpu, insn, vmcs) => {
  if (cpu.cpl > 0) return false;
  // The operand decides about the exit, so faults of reading it come first.
  const source = readRm(cpu, insn, 16);
  const mask = vmcs.big(F.cr0Mask) & MSW;
  const differing = (source ^ vmcs.big(F.cr0Shadow)) & mask;
  // LMSW cannot clear PE: an attempt to is no reason to exit.
  if ((differing & ~PE) !== 0n || ((differing & PE) !== 0n && (source & PE) !== 0n)) {
    const memory = insn.isMemory ? LMSW_MEMORY : 0;
    crAccess(cpu, insn, BigInt(Access.lmsw | memory) | (source << 16n), insn.isMemory ? operandLinear(cpu, insn) : undefined);
  }
  const written = (source & MSW) | (cpu.cr0 & PE);
  setCr0(cpu, vmcs, (cpu.cr0 & ~MSW) | merge(cpu.cr0 & MSW, written, mask));
  return true;
};

const smsw: Intercept = (cpu, insn, vmcs) => {
  if (cpu.cpl > 0 && (cpu.cr4bits & CR4.UMIP) !== 0) return false;
  const bits = insn.isMemory ? 16 : insn.opsize;
  writeRm(cpu, insn, bits, BigInt.asUintN(bits, cr0View(cpu, vmcs)));
  return true;
};

/** MOV DR: #UD for DR4 and DR5 with CR4.DE and #GP for privilege come first, DR7.GD does not. Qualification: table 28-4. */
const movDr =
  (direction: number): Intercept =>
  (cpu, insn, vmcs) => {
    if (cpu.cpl > 0 || !primaryOn(vmcs, Primary.movDrExiting)) return false;
    if (insn.reg > 7 || ((insn.reg & 6) === 4 && (cpu.cr4bits & CR4.DE) !== 0)) return false;
    exitAt(cpu, insn, ExitReason.movDr, { qualification: BigInt(insn.reg | (direction << 4) | (insn.rm << 8)) });
  };

export const controlRegisterIntercepts: InterceptTable = {
  mov_cr_r: movToCr,
  mov_r_cr: movFromCr,
  clts,
  lmsw,
  smsw,
  mov_dr_r: movDr(0),
  mov_r_dr: movDr(1),
};
