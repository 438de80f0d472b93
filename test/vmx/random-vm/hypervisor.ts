/** A small hypervisor in machine code: it lets a random guest get on, and gives it back the events that its exits took from it. */
import { F } from '../../../src/machine/vmx/fields.ts';
import { Pin, Primary } from '../../../src/machine/vmx/controls.ts';
import { ExitReason } from '../../../src/machine/vmx/reasons.ts';
import { bytes } from '../../support/bytes.ts';
import { littleEndian } from '../../host-cpu/addressing.ts';
import { assemble, type Item } from '../../host-cpu/assembler.ts';
import { At } from '../rig.ts';
import { Place } from './places.ts';

const R = ExitReason;
/** After these it goes on after the instruction. */
const SKIP = [
  ...[R.cpuid, R.hlt, R.invd, R.invlpg, R.rdpmc, R.rdtsc, R.controlRegister, R.movDr, R.io, R.rdmsr, R.wrmsr, R.mwait, R.monitor, R.pause],
  ...[R.gdtrIdtr, R.ldtrTr, R.rdtscp, R.wbinvd, R.xsetbv, R.rdrand, R.invpcid, R.vmfunc, R.rdseed, R.xsaves, R.xrstors, R.apicAccess],
  ...[R.vmcall, R.vmclear, R.vmlaunch, R.vmptrld, R.vmptrst, R.vmread, R.vmresume, R.vmwrite, R.vmxoff, R.vmxon, R.invept, R.invvpid],
];

/** Its table of those, for the BT instruction. */
export function skipTable(): Uint8Array {
  const out = new Uint8Array(16);
  for (const n of SKIP) out[n >> 3]! |= 1 << (n & 7);
  return out;
}

const d32 = (n: number): number[] => [...littleEndian(n, 4)];
const code = (hex: string): Item => [...bytes(hex)];
type Field = { readonly encoding: number };
/** mov eax, field; vmread rdx, rax */
const vmread = (field: Field): Item => [0xb8, ...d32(field.encoding), ...bytes('0f78c2')];
/** mov eax, field; vmwrite rax, rdx */
const vmwrite = (field: Field): Item => [0xb8, ...d32(field.encoding), ...bytes('0f79c2')];
const set = (field: Field, value: number): Item[] => [[0xba, ...d32(value)], vmwrite(field)];
const or = (field: Field, bits: number): Item[] => [vmread(field), [...bytes('81ca'), ...d32(bits)], vmwrite(field)];
const clear = (field: Field, bits: number): Item[] => [vmread(field), [...bytes('81e2'), ...d32(~bits)], vmwrite(field)];
const Cond = { carry: 2, noCarry: 3, equal: 4, notEqual: 5, sign: 8, notSign: 9 } as const;
const jump = (condition: number, to: string): Item => ({ before: [0x0f, 0x80 | condition], to, size: 4 });
const go = (to: string): Item => ({ before: [0xe9], to, size: 4 });
const on = (reason: number, ...then: readonly Item[]): Item[] => [
  [0x83, 0xf9, reason], // cmp ecx, reason
  jump(Cond.notEqual, `not ${reason}`),
  ...then,
  { label: `not ${reason}` },
];

const INJECT = 0x8000_0000;
const STI_OR_MOV_SS = 3;
const NMI_BLOCKING = 8;

/** Where the guest begins anew after exceptions that exit. */
export interface Beginning {
  readonly top: number;
  readonly stack: number;
}

/** Where an event was being delivered, VM entry delivers it again: SDM Vol. 3, 28.2.4. */
const deliverAgain = (name: string): Item[] => [
  vmread(F.idtVectoringInfo),
  code('85d2'), // test edx, edx
  jump(Cond.notSign, name),
  code('81e2ffefffff'), // and edx, ~1000H
  vmwrite(F.entryInterruptionInfo),
  vmread(F.idtVectoringErrorCode),
  vmwrite(F.entryExceptionErrorCode),
  vmread(F.exitInstructionLength),
  vmwrite(F.entryInstructionLength),
  ...clear(F.guestInterruptibility, STI_OR_MOV_SS | NMI_BLOCKING),
  { label: name },
];

/** The region of a violation becomes accessible, in both EPTs. */
const allow: readonly Item[] = [
  vmread(F.guestPhysicalAddress),
  code('48c1ea15 83e207'), // shr rdx, 21; and edx, 7
  ...[Place.eptDirectory, Place.otherDirectory].map((at): Item => [...bytes('48810cd5'), ...d32(at), ...d32(0x407)]), // or qword [at + rdx * 8], 407H
];

const eptPart: readonly Item[] = [
  ...on(R.eptViolation, ...allow, ...deliverAgain('violation')),
  ...on(R.eptMisconfiguration, ...allow, ...deliverAgain('misconfiguration')),
  // The guest's VMCALL takes the permissions away again. invept rax (all contexts), [..]
  ...on(
    R.vmcall,
    [...bytes('8b1425'), ...d32(Place.permissions), ...bytes('891425'), ...d32(Place.dataEntry)],
    [...bytes('b802000000 660f38800425'), ...d32(Place.invept)],
  ),
];

/** Counts the exit by its reason, does what the reason needs for the guest to get on, and resumes. */
export function hypervisor(ept: boolean, { top, stack }: Beginning, timer: number): Uint8Array {
  const items: Item[] = [
    code('50 51 52 56'), // push rax, rcx, rdx, rsi
    vmread(F.exitReason),
    code('0fb6ca'), // movzx ecx, dl
    [...bytes('ff048d'), ...d32(Place.counts)], // inc dword [counts + rcx * 4]
    [...bytes('0fa30c25'), ...d32(Place.skip)], // bt [skip], ecx
    jump(Cond.noCarry, 'no skip'),
    vmread(F.exitInstructionLength),
    code('89d6 85d2'), // mov esi, edx; test edx, edx
    jump(Cond.equal, 'restart'),
    vmread(F.guestRip),
    code('4801f2'), // add rdx, rsi
    vmwrite(F.guestRip),
    ...clear(F.guestInterruptibility, STI_OR_MOV_SS),
    { label: 'no skip' },
    ...on(
      R.exceptionOrNmi,
      vmread(F.exitInterruptionInfo),
      code('81e200070000 81fa00020000'), // and edx, 700H; cmp edx, 200H (NMI)
      jump(Cond.notEqual, 'restart'),
      // The guest gets the NMI when it can take it.
      vmread(F.pinControls),
      [0xf6, 0xc2, Pin.virtualNmis], // test dl, virtual NMIs
      jump(Cond.equal, 'not 0'),
      ...or(F.primaryControls, Primary.nmiWindowExiting),
    ),
    // sti; nop; cli: what was not acknowledged by the exit is the hypervisor's own.
    ...on(R.externalInterrupt, code('fb 90 fa'), ...or(F.primaryControls, Primary.interruptWindowExiting)),
    ...on(R.interruptWindow, ...clear(F.primaryControls, Primary.interruptWindowExiting), ...set(F.entryInterruptionInfo, INJECT | 0x41)),
    ...on(R.nmiWindow, ...clear(F.primaryControls, Primary.nmiWindowExiting), ...set(F.entryInterruptionInfo, INJECT | 0x202)),
    ...on(R.pmlFull, ...set(F.pmlIndex, 7), ...deliverAgain('log')),
    ...on(R.preemptionTimer, ...set(F.preemptionTimer, timer)),
    ...on(R.tprBelowThreshold, ...set(F.tprThreshold, 0)),
    ...(ept ? eptPart : []),
    ...on(R.tripleFault, go('restart')),
    ...on(R.taskSwitch, go('restart')),
    ...on(R.invalidGuestState, go('restart')),
    go('resume'),
    { label: 'restart' },
    ...[...set(F.guestRip, top), ...set(F.guestRsp, stack), ...set(F.guestRflags, 0x202), ...set(F.guestInterruptibility, 0)],
    ...set(F.guestPendingDebug, 0),
    { label: 'resume' },
    ...set(F.guestActivity, 0),
    code('5e 5a 59 58 0f01c3 f4'), // pop; vmresume; hlt
  ];
  return assemble([items], At.hostRip);
}
