import { Flag, type Cpu } from '../../machine/cpu/cpu.ts';
import { GuestFault } from '../../machine/cpu/fault.ts';
import * as L from '../../machine/cpu/layout.ts';
import { loadControlRegisters } from '../../machine/cpu/control-registers.ts';
import { readMsr, writeMsr } from '../../machine/cpu/msr.ts';
import { fullTags, setTags } from '../../machine/cpu/x87/state.ts';
import { loadSegment } from '../../machine/cpu/system/segments.ts';
import { F, type VmcsField } from '../../machine/vmx/fields.ts';
import { rawVmcsPointer } from '../../machine/vmx/state.ts';
import { currentVmcs } from '../../machine/vmx/vmcs.ts';
import { refused, type Refusal } from '../target.ts';
import { cpuMode, linearPc, setLinearPc } from './mode.ts';

/** How a register of the table in features/registers.ts is read from and written to a CPU. */
export interface Accessor {
  read(cpu: Cpu): bigint;
  /** Absent: read-only. */
  write?(cpu: Cpu, value: bigint): true | Refusal;
}

const done = (): true => true;
const gpr = (n: number): Accessor => ({ read: (cpu) => cpu.gpr(n), write: (cpu, v) => (cpu.setGpr(n, v), true) });
const slot64 = (at: number): Accessor => ({ read: (cpu) => cpu.u64(at), write: (cpu, v) => (cpu.setU64(at, v), true) });
const slot32 = (at: number, mask = 0xffff_ffff): Accessor => ({
  read: (cpu) => BigInt(cpu.u32(at)),
  write: (cpu, v) => (cpu.setU32(at, Number(v) & mask), true),
});
/** The low 32 bits of a 64-bit slot. */
const low32 = (at: number): Accessor => ({ read: (cpu) => BigInt(cpu.u32(at)), write: (cpu, v) => (cpu.setU64(at, v), true) });

/** Writing a selector loads the segment as MOV would; CS cannot be loaded by MOV. */
const selector = (segment: number): Accessor => ({
  read: (cpu) => BigInt(cpu.segments[segment]!.selector),
  write(cpu, v) {
    if (v === BigInt(cpu.segments[segment]!.selector)) return true;
    if (segment === L.CS) return refused('CS is loaded by far jumps, calls and returns only');
    try {
      loadSegment(cpu, segment, Number(v & 0xffffn));
      return true;
    } catch (fault) {
      if (fault instanceof GuestFault) return refused(`loading selector 0x${v.toString(16)} raises exception ${fault.vector}`);
      throw fault;
    }
  },
});

const base = (segment: number): Accessor => ({
  read: (cpu) => cpu.segments[segment]!.base,
  write: (cpu, v) => ((cpu.segments[segment]!.base = v), true),
});

/** Control registers are loaded unchecked: whoever writes them from a debugger means it. */
const control = (name: 'cr0' | 'cr3' | 'cr4' | 'efer'): Accessor => ({
  read: (cpu) => cpu[name],
  write: (cpu, v) => (loadControlRegisters(cpu, { cr0: cpu.cr0, cr3: cpu.cr3, cr4: cpu.cr4, efer: cpu.efer, [name]: v }), true),
});

const KERNEL_GS_BASE = 0xc000_0102;

/** ST(i) is physical register TOP + i (SDM Vol. 1, 8.1.2). */
const stackRegister = (i: number): Accessor => {
  const at = (cpu: Cpu): number => L.FPR + ((((cpu.u32(L.FSW) >> 11) & 7) + i) & 7) * 16;
  return {
    read: (cpu) => cpu.u64(at(cpu)) | ((cpu.u64(at(cpu) + 8) & 0xffffn) << 64n),
    write: (cpu, v) => (cpu.setU64(at(cpu), BigInt.asUintN(64, v)), cpu.setU64(at(cpu) + 8, (v >> 64n) & 0xffffn), true),
  };
};

/** Half of a YMM register: the XMM register, or what lies above it. */
const vector = (n: number, half: 0 | 16): Accessor => {
  const at = L.VECTORS + n * L.VECTOR_SIZE + half;
  return {
    read: (cpu) => cpu.u64(at) | (cpu.u64(at + 8) << 64n),
    write: (cpu, v) => (cpu.setU64(at, BigInt.asUintN(64, v)), cpu.setU64(at + 8, v >> 64n), true),
  };
};

/** A field of the current VMCS, 0 without one. The exit fields describe the last exit of that VMCS. */
const vmcsField = (field: VmcsField, none = 0n): Accessor => ({ read: (cpu) => currentVmcs(cpu)?.read(field) ?? none });

const numbered = (prefix: string, count: number, make: (n: number) => Accessor): Record<string, Accessor> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, make(n)]));

export const accessors: Readonly<Record<string, Accessor>> = {
  rax: gpr(0),
  rcx: gpr(1),
  rdx: gpr(2),
  rbx: gpr(3),
  rsp: gpr(4),
  rbp: gpr(5),
  rsi: gpr(6),
  rdi: gpr(7),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`r${n + 8}`, gpr(n + 8)])),
  rip: { read: linearPc, write: (cpu, v) => (setLinearPc(cpu, v), done()) },
  eflags: {
    read: (cpu) => BigInt(cpu.rflags),
    write(cpu, v) {
      if (((Number(v) ^ cpu.rflags) & Flag.VM) !== 0) return refused('EFLAGS.VM is changed by IRET and task switches only');
      cpu.rflags = Number(v & 0xffff_ffffn);
      return true;
    },
  },
  cs: selector(L.CS),
  ss: selector(L.SS),
  ds: selector(L.DS),
  es: selector(L.ES),
  fs: selector(L.FS),
  gs: selector(L.GS),
  fs_base: base(L.FS),
  gs_base: base(L.GS),
  k_gs_base: { read: (cpu) => readMsr(cpu, KERNEL_GS_BASE), write: (cpu, v) => (writeMsr(cpu, KERNEL_GS_BASE, v), true) },
  cr0: control('cr0'),
  cr2: slot64(L.CR2),
  cr3: control('cr3'),
  cr4: control('cr4'),
  cr8: { read: (cpu) => BigInt(cpu.irq.getCr8()), write: (cpu, v) => (cpu.irq.setCr8(Number(v & 15n)), true) },
  efer: control('efer'),
  ...numbered('st', 8, stackRegister),
  fctrl: slot32(L.FCW, 0xffff),
  fstat: slot32(L.FSW, 0xffff),
  ftag: { read: (cpu) => BigInt(fullTags(cpu)), write: (cpu, v) => (setTags(cpu, Number(v & 0xffffn)), true) },
  fiseg: slot32(L.FCS, 0xffff),
  fioff: low32(L.FIP),
  foseg: slot32(L.FDS, 0xffff),
  fooff: low32(L.FDP),
  fop: slot32(L.FOP, 0x7ff),
  ...numbered('xmm', 16, (n) => vector(n, 0)),
  ...Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`ymm${n}h`, vector(n, 16)])),
  mxcsr: slot32(L.MXCSR),
  cpu_mode: { read: (cpu) => BigInt(cpuMode(cpu)) },
  cs_base: { read: (cpu) => (cpu.code64 ? 0n : cpu.segments[L.CS]!.base) },
  vmx: { read: (cpu) => BigInt(cpu.vmxMode) },
  vmcs_pointer: { read: rawVmcsPointer },
  vm_exit_reason: vmcsField(F.exitReason, 0xffffn),
  vm_exit_qualification: vmcsField(F.exitQualification),
  vm_instruction_error: vmcsField(F.instructionError),
  guest_rip: vmcsField(F.guestRip),
  guest_rsp: vmcsField(F.guestRsp),
  guest_cr3: vmcsField(F.guestCr3),
};
