import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import type { Case, Mode } from './case.ts';
import { missingFeatures } from './host-features.ts';
import { isX87 } from './random-state.ts';

/** Rows that are not run as single cases, and why. */
const elsewhere: readonly (readonly [why: string, names: string])[] = [
  ['near transfers: transfer.ts makes programs of them, where the target is somewhere', 'call call_rm ret jmp jmp_rm'],
  ['segments: far.ts', 'pop_sreg mov_sreg_rm les lds lss lfs lgs call_far_ptr jmp_far_ptr call_far_m jmp_far_m ret_far iret lar lsl verr verw'],
  ['POPF may set TF and IF is the harness\'s own: trap.ts', 'popf'],
  ['go to an interrupt handler or into the system', 'int_n int1 syscall sysenter sysexit'],
  ['tell of this processor and of its system: test/system', 'cpuid xgetbv xsetbv rdtsc rdtscp rdpmc rdpid rdpkru wrpkru sldt str sgdt sidt smsw umonitor umwait tpause'],
  ['random by design', 'rdrand rdseed'],
  ['FS is the harness\'s thread pointer; GS is where the case\'s memory is: test/system', 'rdfsbase wrfsbase rdgsbase wrgsbase'],
  ['privileged, and what they do is compared in test/system; #UD or #GP by vendor in user mode', 'monitor mwait mov_r_dr mov_dr_r invpcid invept invvpid getsec pconfig wbnoinvd xsaves xrstors serialize'],
  ['VMX, which an AMD host does not have', 'vmcall vmlaunch vmresume vmxoff vmxon vmread vmwrite vmptrld vmptrst vmclear vmfunc'],
]; // prettier-ignore
const untested = new Set(elsewhere.flatMap(([, names]) => names.split(' ')));

/** Privileged at CPL 3, and by IOPL 0 and the I/O permission map: all the same to a user program. */
const privileged = new Set([
  'cli', 'sti', 'hlt', 'clts', 'invd', 'wbinvd', 'rdmsr', 'wrmsr', 'in_imm', 'in_dx', 'out_imm', 'out_dx', 'ins', 'outs', 'lldt', 'ltr', 'lmsw', 'invlpg',
  'mov_r_cr', 'mov_cr_r', 'swapgs', 'sysret', 'clac', 'stac', 'rsm',
]); // prettier-ignore
const runsInUserMode = (r: Row, mode: Mode): boolean => (mode === '64' ? r.in64 : r.inLegacy && r.name !== 'sysret') && !untested.has(r.name); // SYSRET in compatibility mode: AMD has it, Intel does not

/** The rows that single cases are made of: everything that runs in user mode and that the host has. */
export const testedRows = (mode: Mode): Row[] => rows.filter((r) => runsInUserMode(r, mode) && missingFeatures(r).length === 0);

/** Rows that this host cannot say anything about, by the features that it lacks. */
export function rowsWithoutHost(): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const row of rows.filter((r) => runsInUserMode(r, '64')))
    for (const feature of missingFeatures(row)) out.set(feature, [...(out.get(feature) ?? []), row.name]);
  return out;
}

/** Others are left out where operands lie at edges: which access faults first, and what was done before, is the processor's own matter. */
export const isOrderly = (row: Row): boolean => !/^(bound|popa|push_sreg|f?x(save|rstor)\w*|f(nsave|rstor|nstenv|ldenv))$/.test(row.name);

export const isPrivileged = (row: Row): boolean => privileged.has(row.name);

/** A 32-bit push of a segment register writes 16 bits or 32, by processor: SDM Vol. 2, PUSH. */
export function comparedMemory(row: Row, width: number): Case['memory'] {
  if (row.name === 'push_sreg' && width === 32) return 'ignored';
  return /^(pusha|enter|cmpxchg8b|f?xsave\w*|fn(save|stenv))$/.test(row.name) ? 'unless faulted' : 'exact';
}

export const touchesMemory = (row: Row): boolean =>
  row.stack || row.string || row.operands.some((o) => /^[EMOQW]/.test(o)) || /^(enter|leave|pop_rm|pushf|pusha|xlat)$/.test(row.name);

/** Rows of one kind under one heading. */
export function byName(list: readonly Row[]): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of list) groups.set(row.name, [...(groups.get(row.name) ?? []), row]);
  return [...groups];
}

/** Vectors, MMX and x87: what state.ts draws values for. */
export const isVector = (row: Row): boolean => isX87(row) || row.traits.vector || row.operands.some((o) => /^[VWHLPQ]/.test(o)) || row.map > 1;
