import * as T from './flags.ts';
import { exitReason } from './exit-reasons.ts';
import type { EnumType, FlagsType } from './flags.ts';

/** Where gdb looks for a register: gdb's own features (gdb manual: i386 Features), and ours. */
export const FEATURES = [
  'org.gnu.gdb.i386.core',
  'org.gnu.gdb.i386.sse',
  'org.gnu.gdb.i386.segments',
  'org.vmxscope.system',
  'org.vmxscope.vmx',
  'org.gnu.gdb.i386.avx',
] as const;
export type Feature = (typeof FEATURES)[number];

export interface RegisterRow {
  readonly name: string;
  readonly bits: 32 | 64 | 80 | 128;
  /** A type that gdb knows, or one of ours. */
  readonly type: string | FlagsType | EnumType;
  readonly feature: Feature;
  readonly group?: 'float' | 'vector' | 'system';
}

const [core, sse, segments, system, vmx, avx] = FEATURES;
const row = (feature: Feature, bits: RegisterRow['bits'], type: RegisterRow['type'], ...names: string[]): RegisterRow[] =>
  names.map((name) => ({ name, bits, type, feature }));
const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/**
 * Every register gdb sees, in the order of their numbers, which is that of the `g` reply. Numbers 0 to 65 are those of
 * QEMU (target/i386/gdbstub.c), because tools know them; features and types are gdb's own.
 */
export const registers: readonly RegisterRow[] = [
  ...row(core, 64, 'int64', 'rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'),
  ...row(core, 64, 'data_ptr', 'rbp', 'rsp'),
  ...row(core, 64, 'int64', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'),
  ...row(core, 64, 'code_ptr', 'rip'),
  ...row(core, 32, T.eflags, 'eflags'),
  ...row(core, 32, 'int32', 'cs', 'ss', 'ds', 'es', 'fs', 'gs'),
  ...row(segments, 64, 'int64', 'fs_base', 'gs_base'),
  ...row(system, 64, 'int64', 'k_gs_base'),
  ...row(system, 64, T.cr0, 'cr0'),
  ...row(system, 64, 'data_ptr', 'cr2'),
  ...row(system, 64, 'data_ptr', 'cr3'),
  ...row(system, 64, T.cr4, 'cr4'),
  ...row(system, 64, 'int64', 'cr8'),
  ...row(system, 64, T.efer, 'efer'),
  ...row(core, 80, 'i387_ext', ...numbered('st', 8)),
  ...row(core, 32, 'int', 'fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop'),
  ...row(sse, 128, 'vec128', ...numbered('xmm', 16)),
  ...row(sse, 32, T.mxcsr, 'mxcsr'),
  ...row(vmx, 32, T.cpuMode, 'cpu_mode'),
  ...row(vmx, 64, 'int64', 'cs_base'),
  ...row(vmx, 32, T.vmxMode, 'vmx'),
  ...row(vmx, 64, 'data_ptr', 'vmcs_pointer'),
  ...row(vmx, 32, exitReason, 'vm_exit_reason'),
  ...row(vmx, 64, 'int64', 'vm_exit_qualification'),
  ...row(vmx, 32, 'uint32', 'vm_instruction_error'),
  ...row(vmx, 64, 'code_ptr', 'guest_rip'),
  ...row(vmx, 64, 'data_ptr', 'guest_rsp'),
  ...row(vmx, 64, 'data_ptr', 'guest_cr3'),
  // Upper halves: gdb makes ymm0 to ymm15 of them and of xmm0 to xmm15. Last, so that numbers do not depend on the CPU model.
  ...row(avx, 128, 'uint128', ...numbered('ymm', 16).map((name) => `${name}h`)),
];

/** The registers of a machine, by whether its CPUs have AVX. */
export const registersOf = (hasAvx: boolean): readonly RegisterRow[] => (hasAvx ? registers : registers.filter((r) => r.feature !== avx));

export const registerNumber = (name: string): number => registers.findIndex((r) => r.name === name);
export const byteSize = (r: RegisterRow): number => r.bits / 8;
