import { hasVmxFeature } from '../features.ts';
import { F } from '../fields.ts';
import { EventKind, hasErrorCode, parseInfo, type InterruptionInfo } from '../interruption.ts';
import { msrAreaRows, type CheckRow, type EntryContext } from './check.ts';
import { allowedRows } from './execution-controls.ts';

/** SDM Vol. 3, 27.2.1.3: checks on VM-entry control fields. */
const section = '27.2.1.3';

export const injected = (c: EntryContext): InterruptionInfo => parseInfo(c.vmcs.num(F.entryInterruptionInfo));
export const injects = (c: EntryContext): boolean => injected(c).valid;

/** The deliver-error-code bit must say whether this exception has an error code in this mode. */
function errorCodeExpected(c: EntryContext): boolean {
  const { type, vector } = injected(c);
  return type === EventKind.hardware && (!c.unrestricted || (c.vmcs.big(F.guestCr0) & 1n) !== 0n) && hasErrorCode(vector);
}

const software = (c: EntryContext): boolean => {
  const { valid, type } = injected(c);
  return valid && (type === EventKind.software || type === EventKind.privilegedSoftware || type === EventKind.softwareException);
};

const info = F.entryInterruptionInfo;

export const entryControlChecks: readonly CheckRow[] = [
  ...allowedRows('control.entry', section, 'entry', F.entryControls),
  {
    id: 'control.injection-type',
    section,
    title: 'the interruption type (bits 10:8) must not be 1, nor 7 (other event) where the monitor trap flag is not offered',
    fields: [info],
    when: injects,
    holds: (c) => injected(c).type !== 1 && (injected(c).type !== EventKind.other || hasVmxFeature(c.model, 'monitor-trap-flag')),
  },
  {
    id: 'control.injection-other-vector',
    section,
    title: 'an injected "other event" must have vector 0 (pending MTF VM exit)',
    fields: [info],
    when: (c) => injects(c) && injected(c).type === EventKind.other,
    holds: (c) => injected(c).vector === 0,
  },
  {
    id: 'control.injection-nmi-vector',
    section,
    title: 'an injected NMI must have vector 2',
    fields: [info],
    when: (c) => injects(c) && injected(c).type === EventKind.nmi,
    holds: (c) => injected(c).vector === 2,
  },
  {
    id: 'control.injection-exception-vector',
    section,
    title: 'an injected hardware exception must have a vector of at most 31',
    fields: [info],
    when: (c) => injects(c) && injected(c).type === EventKind.hardware,
    holds: (c) => injected(c).vector <= 31,
  },
  {
    id: 'control.injection-error-code-bit',
    section,
    title:
      'the deliver-error-code bit (bit 11) must be 1 exactly for hardware exceptions that have an error code, but not with "unrestricted guest" 1 and guest CR0.PE 0',
    fields: [info, F.guestCr0],
    when: injects,
    holds: (c) => injected(c).deliverErrorCode === errorCodeExpected(c),
  },
  {
    id: 'control.injection-reserved',
    section,
    title: 'bits 30:12 of the VM-entry interruption-information field must be 0',
    fields: [info],
    when: injects,
    holds: (c) => (c.vmcs.num(info) & 0x7fff_f000) === 0,
  },
  {
    id: 'control.injection-error-code',
    section,
    title: 'bits 31:16 of the VM-entry exception error code must be 0',
    fields: [info, F.entryExceptionErrorCode],
    when: (c) => injects(c) && injected(c).deliverErrorCode,
    holds: (c) => c.vmcs.num(F.entryExceptionErrorCode) >>> 16 === 0,
  },
  {
    id: 'control.injection-length',
    section,
    title: 'for a software event the VM-entry instruction length must be at most 15, and not 0 unless IA32_VMX_MISC bit 30 is 1',
    fields: [info, F.entryInstructionLength],
    when: software,
    holds: (c) => {
      const length = c.vmcs.num(F.entryInstructionLength);
      return length <= 15 && (length > 0 || hasVmxFeature(c.model, 'zero-length-injection'));
    },
  },
  ...msrAreaRows('control.entry-msr-load', section, F.entryMsrLoadAddress, F.entryMsrLoadCount),
];
