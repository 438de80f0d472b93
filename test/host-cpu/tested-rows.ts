import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import type { Case, Mode } from './case.ts';

/** Instructions written in TypeScript that a user program may execute, and whose outcome does not depend on the system. */
const userHelpers = new Set([
  'xlat', 'enter', 'pop_rm', 'pushf', 'pause', 'daa', 'das', 'aaa', 'aas', 'aam', 'aad', 'salc', 'bound', 'arpl', 'pusha', 'popa', 'push_sreg', 'mov_rm_sreg',
  'int3', 'into', 'ud',
]); // prettier-ignore
/** Privileged at CPL 3, and by IOPL 0 and the I/O permission map: all the same to a user program. */
const privileged = new Set([
  'cli', 'sti', 'hlt', 'clts', 'invd', 'wbinvd', 'rdmsr', 'wrmsr', 'in_imm', 'in_dx', 'out_imm', 'out_dx', 'ins', 'outs', 'lldt', 'ltr', 'lmsw', 'invlpg',
  'mov_r_cr', 'mov_cr_r', 'swapgs', 'sysret', 'clac', 'stac', 'rsm',
]); // prettier-ignore
/** Near transfers: control.ts makes programs of them, where the target is somewhere. */
const transfers = new Set(['call', 'call_rm', 'ret', 'jmp', 'jmp_rm']);

/** The rows that single cases are made of: everything that runs in user mode. */
export const testedRows = (mode: Mode): Row[] =>
  rows.filter(
    (r) =>
      (mode === '64' ? r.in64 : r.inLegacy && r.name !== 'sysret') && // SYSRET in compatibility mode: AMD has it, Intel does not
      (!r.helper || userHelpers.has(r.name) || privileged.has(r.name)) &&
      !transfers.has(r.name),
  );

/** Others are left out where operands lie at edges: which access faults first, and what was done before, is the processor's own matter. */
export const isOrderly = (row: Row): boolean => !/^(bound|popa|push_sreg)$/.test(row.name);

export const isPrivileged = (row: Row): boolean => privileged.has(row.name);

/** A 32-bit push of a segment register writes 16 bits or 32, by processor: SDM Vol. 2, PUSH. */
export function comparedMemory(row: Row, width: number): Case['memory'] {
  if (row.name === 'push_sreg' && width === 32) return 'ignored';
  return /^(pusha|enter|cmpxchg8b)$/.test(row.name) ? 'unless faulted' : 'exact';
}

export const touchesMemory = (row: Row): boolean =>
  row.stack || row.string || row.operands.some((o) => /^[EMOW]/.test(o)) || /^(enter|leave|pop_rm|pushf|pusha|xlat)$/.test(row.name);

/** Rows of one kind under one heading. */
export function byName(list: readonly Row[]): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of list) groups.set(row.name, [...(groups.get(row.name) ?? []), row]);
  return [...groups];
}
