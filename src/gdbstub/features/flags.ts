/** Types of registers that gdb prints by name: `[ PE NE WP PG ]`, `CPUID` (gdb manual: Target Description Format, types). */
export interface FlagsType {
  readonly kind: 'flags';
  readonly id: string;
  readonly bytes: 4 | 8;
  /** Name and bit, or name, first and last bit of a field. */
  readonly fields: readonly (readonly [name: string, first: number, last?: number])[];
}
export interface EnumType {
  readonly kind: 'enum';
  readonly id: string;
  readonly values: readonly (readonly [name: string, value: number])[];
}

/** SDM Vol. 1, 3.4.3. The empty name at bit 1 is gdb's own way to print the bit that is always set. */
export const eflags: FlagsType = {
  kind: 'flags', id: 'i386_eflags', bytes: 4,
  fields: [['CF', 0], ['', 1], ['PF', 2], ['AF', 4], ['ZF', 6], ['SF', 7], ['TF', 8], ['IF', 9], ['DF', 10], ['OF', 11], ['IOPL', 12, 13], ['NT', 14],
    ['RF', 16], ['VM', 17], ['AC', 18], ['VIF', 19], ['VIP', 20], ['ID', 21]],
}; // prettier-ignore

/** SDM Vol. 3, 2.5. */
export const cr0: FlagsType = {
  kind: 'flags', id: 'i386_cr0', bytes: 8,
  fields: [['PE', 0], ['MP', 1], ['EM', 2], ['TS', 3], ['ET', 4], ['NE', 5], ['WP', 16], ['AM', 18], ['NW', 29], ['CD', 30], ['PG', 31]],
}; // prettier-ignore

export const cr4: FlagsType = {
  kind: 'flags', id: 'i386_cr4', bytes: 8,
  fields: [['VME', 0], ['PVI', 1], ['TSD', 2], ['DE', 3], ['PSE', 4], ['PAE', 5], ['MCE', 6], ['PGE', 7], ['PCE', 8], ['OSFXSR', 9], ['OSXMMEXCPT', 10],
    ['UMIP', 11], ['LA57', 12], ['VMXE', 13], ['SMXE', 14], ['FSGSBASE', 16], ['PCIDE', 17], ['OSXSAVE', 18], ['SMEP', 20], ['SMAP', 21], ['PKE', 22]],
}; // prettier-ignore

/** SDM Vol. 3, 2.2.1. */
export const efer: FlagsType = {
  kind: 'flags', id: 'i386_efer', bytes: 8,
  fields: [['SCE', 0], ['LME', 8], ['LMA', 10], ['NXE', 11]],
}; // prettier-ignore

/** SDM Vol. 1, 10.2.3. */
export const mxcsr: FlagsType = {
  kind: 'flags', id: 'i386_mxcsr', bytes: 4,
  fields: [['IE', 0], ['DE', 1], ['ZE', 2], ['OE', 3], ['UE', 4], ['PE', 5], ['DAZ', 6], ['IM', 7], ['DM', 8], ['ZM', 9], ['OM', 10], ['UM', 11], ['PM', 12], ['FZ', 15]],
}; // prettier-ignore

export const vmxMode: EnumType = {
  kind: 'enum', id: 'vmx_mode',
  values: [['off', 0], ['root', 1], ['guest', 2]],
}; // prettier-ignore

export const cpuMode: EnumType = {
  kind: 'enum', id: 'cpu_mode',
  values: [['real', 0], ['vm86', 1], ['protected16', 2], ['protected32', 3], ['compatibility16', 4], ['compatibility32', 5], ['long64', 6]],
}; // prettier-ignore
