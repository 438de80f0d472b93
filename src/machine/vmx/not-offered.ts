import type { ControlWord } from './controls.ts';

/**
 * What a Skylake server processor offers beyond features.ts, and why no model here does. With features.ts this is the whole of
 * its VMX: a test compares both with the capability MSRs of such a processor.
 */
export interface NotOffered {
  /** The SDM's name. */
  readonly title: string;
  /** A control bit, or a bit of IA32_VMX_MISC. */
  readonly word: ControlWord | 'misc';
  readonly bit: number;
  readonly why: string;
}

const SGX = 'there is no SGX';
const PT = 'there is no Intel Processor Trace';
const SMM = 'there is no SMM, and no dual-monitor treatment of it';

export const notOffered: readonly NotOffered[] = [
  { title: 'ENCLS exiting', word: 'secondary', bit: 15, why: SGX },
  { title: 'Conceal VMX from PT', word: 'secondary', bit: 19, why: PT },
  { title: 'Conceal VMX from PT', word: 'exit', bit: 24, why: PT },
  { title: 'Entry to SMM', word: 'entry', bit: 10, why: SMM },
  { title: 'Deactivate dual-monitor treatment', word: 'entry', bit: 11, why: SMM },
  { title: 'Conceal VMX from PT', word: 'entry', bit: 17, why: PT },
  { title: 'Intel PT can be used in VMX operation', word: 'misc', bit: 14, why: PT },
  { title: 'RDMSR of IA32_SMBASE in SMM', word: 'misc', bit: 15, why: SMM },
  { title: 'VMXOFF may leave SMIs blocked (IA32_SMM_MONITOR_CTL bit 2)', word: 'misc', bit: 28, why: SMM },
];
