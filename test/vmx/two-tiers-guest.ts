/** Guest code and a small hypervisor in machine code, for the comparison of both tiers. */
import { F } from '../../src/machine/vmx/fields.ts';
import { ExitReason } from '../../src/machine/vmx/reasons.ts';
import { littleEndian } from '../host-cpu/addressing.ts';
import { assemble, type Item } from '../host-cpu/assembler.ts';
import { DATA } from '../host-cpu/case.ts';
import { HOME, programInstruction } from '../host-cpu/program-instruction.ts';
import type { Random } from '../host-cpu/random.ts';
import { bytes } from '../cpu/pair.ts';
import { At } from './rig.ts';

/** The guest's code, entered here and begun anew after a fault. */
export const Guest = { top: At.guestCode } as const;

/** What the hypervisor keeps and uses in memory. */
export const Monitor = {
  /** Exits by reason. */
  counts: 0x24_a000,
  skip: 0x24_a400,
  restart: 0x24_a410,
  invept: 0x24_a420,
  permissions: 0x24_a430,
  eptDirectory: At.ept + 0x2000,
  dataEntry: At.ept + 0x2000 + (DATA >> 21) * 8,
} as const;

const d32 = (n: number): number[] => [...littleEndian(n, 4)];
const code = (hex: string): number[] => [...bytes(hex)];
const { cpuid, hlt, invd, invlpg, rdpmc, rdtsc, vmcall, controlRegister, movDr, io, rdmsr, wrmsr, mwait, monitor, pause } = ExitReason;
const { gdtrIdtr, ldtrTr, invept, rdtscp, invvpid, wbinvd, xsetbv, rdrand, invpcid, vmfunc, rdseed, xsaves, xrstors } = ExitReason;
/** After these the hypervisor goes on after the instruction. */
const SKIP = [
  ...[cpuid, hlt, invd, invlpg, rdpmc, rdtsc, vmcall, controlRegister, movDr, io, rdmsr, wrmsr, mwait, monitor, pause],
  ...[gdtrIdtr, ldtrTr, invept, rdtscp, invvpid, wbinvd, xsetbv, rdrand, invpcid, vmfunc, rdseed, xsaves, xrstors],
];
/** And after these with the guest's code from its beginning. */
const RESTART = [ExitReason.exceptionOrNmi, ExitReason.tripleFault, ExitReason.taskSwitch];

const bitmap = (reasons: readonly number[]): number[] => {
  const out = Array.from({ length: 16 }, () => 0);
  for (const n of reasons) out[n >> 3]! |= 1 << (n & 7);
  return out;
};

/** mov eax, field; vmread rdx, rax */
const vmread = (field: { readonly encoding: number }): Item => [0xb8, ...d32(field.encoding), ...code('0f78c2')];
/** mov eax, field; vmwrite rax, rdx */
const vmwrite = (field: { readonly encoding: number }): Item => [0xb8, ...d32(field.encoding), ...code('0f79c2')];
const movEdx = (value: number): Item => [0xba, ...d32(value)];
const jump = (opcode: number, to: string): Item => ({ before: [opcode], to, size: 1 });
const [JNE, JNC] = [0x75, 0x73];

/** Counts the exit by its reason, does what the reason needs for the guest to get on, and resumes. */
export function hypervisor(ept: boolean): Uint8Array {
  const cmpEcx = (n: number): Item => [0x83, 0xf9, n];
  const bt = (at: number): Item => [...code('0fa30c25'), ...d32(at)];
  const pieces: Item[] = [
    code('50 51 52 56'), // push rax, rcx, rdx, rsi
    vmread(F.exitReason),
    code('0fb6ca'), // movzx ecx, dl
    [...code('ff048d'), ...d32(Monitor.counts)], // inc dword [counts + rcx * 4]
    bt(Monitor.skip),
    jump(JNC, 'no skip'),
    ...[vmread(F.exitInstructionLength), code('89d6'), vmread(F.guestRip), code('4801f2'), vmwrite(F.guestRip)], // mov esi, edx; add rdx, rsi
    { label: 'no skip' },
    bt(Monitor.restart),
    jump(JNC, 'no restart'),
    ...[movEdx(Guest.top), vmwrite(F.guestRip), movEdx(At.guestStack), vmwrite(F.guestRsp)],
    { label: 'no restart' },
    ...[movEdx(0), vmwrite(F.guestActivity)],
    // and edx, ~(interrupt-window exiting | NMI-window exiting): a window stays open
    ...[vmread(F.primaryControls), [...code('81e2'), ...d32(~0x40_0004)], vmwrite(F.primaryControls)],
    ...[cmpEcx(ExitReason.pmlFull), jump(JNE, 'not full'), movEdx(7), vmwrite(F.pmlIndex), { label: 'not full' }],
  ];
  if (ept) {
    const allow: Item[] = [
      vmread(F.guestPhysicalAddress),
      code('48c1ea15 83e207'),
      [...code('48810cd5'), ...d32(Monitor.eptDirectory), ...d32(0x407)],
    ];
    pieces.push(
      ...[cmpEcx(ExitReason.eptViolation), jump(JNE, 'no violation'), ...allow, { label: 'no violation' }],
      ...[cmpEcx(ExitReason.eptMisconfiguration), jump(JNE, 'no misconfiguration'), ...allow, { label: 'no misconfiguration' }],
      // The guest's VMCALL takes the permissions away again. invept rax (all contexts), [..]
      ...[cmpEcx(ExitReason.vmcall), jump(JNE, 'no call')],
      [...code('8b1425'), ...d32(Monitor.permissions), ...code('891425'), ...d32(Monitor.dataEntry)],
      [...code('b802000000 660f38800425'), ...d32(Monitor.invept)],
      { label: 'no call' },
    );
  }
  pieces.push(code('5e 5a 59 58 0f01c3 f4')); // pop; vmresume; hlt
  return assemble([pieces], At.hostRip);
}

/** The hypervisor's tables, and the guest's handlers: of #DB, NMI, #BP and interrupts IRET, of others the way to the beginning. */
export function* guestHandlers(): Generator<readonly [number, Uint8Array]> {
  yield [Monitor.skip, Uint8Array.from(bitmap(SKIP))];
  yield [Monitor.restart, Uint8Array.from(bitmap(RESTART))];
  for (let vector = 0; vector < 256; vector++) {
    const at = At.guestHandler + vector * 16;
    const returns = (vector >= 1 && vector <= 3) || vector >= 32;
    yield [at, Uint8Array.from(returns ? code('48cf') : [...code('48c7c4'), ...d32(At.guestStack), 0xe9, ...d32(Guest.top - at - 12)])];
  }
}

/** Instructions that may exit, by what they do to rAX to rDX at most. */
const SENSITIVE = [
  '530fa25b', '0f31', '0f01f9', '0f01c1', 'f390', '0f20c00f22c0', '0f20d80f22d8', '0f20e00f22e0', '440f20c0440f22c0', '0f21f8', '0f21f0', '0f09', '0f08',
  '0f013b', 'e480', 'e680', 'b9100000000f32', 'b9800000c00f32', 'b9770200000f320f30', '0f0103', '0f00c0', '0f00c8', '0fc7f0', '0fc7f8', 'f4',
  'fb', 'fa', 'fb90fa', '9c810c24000100009d90909c812424fffeffff9d', '31c031c90f01d4', '0f0b', 'cc', 'cd80', '8cd08ed0', '0f06',
]; // prettier-ignore
const COUNTER = -0x7c0;

/** Loops of random instructions, some of which may exit, with branches and an instruction that changes. */
export function randomGuest(random: Random): Uint8Array {
  const pieces: Item[] = [
    [...code('48c7c3'), ...d32(HOME)],
    [...code('48c7c6'), ...d32(DATA + 0x1500)],
    [...code('48c7c7'), ...d32(DATA + 0x1600)],
    [...code('48c7c4'), ...d32(At.guestStack)],
  ];
  const instruction = (): Item => programInstruction('64', random);
  const loops = 1 + random.below(3);
  // How often an instruction is a sensitive one: one in so many.
  const rare = random.pick([4, 10, 40]);
  let labels = 0;
  for (let n = 0; n < loops; n++) {
    pieces.push([0xc7, 0x83, ...d32(COUNTER), ...d32(10 + random.below(150))], { label: `top ${n}` });
    for (let left = 4 + random.below(14); left > 0; left--) {
      const to = `l${labels++}`;
      if (random.chance(rare)) pieces.push(code(random.pick(SENSITIVE)));
      else if (random.chance(6)) pieces.push({ before: [0x70 + random.below(16)], to, size: 1 }, instruction(), instruction(), { label: to });
      else if (random.chance(25))
        pieces.push({ before: code('fe0425'), to, size: 4, absolute: true, add: 1 }, { label: to }, [0xb8, ...d32(random.u32())]);
      else pieces.push(instruction());
    }
    pieces.push([0xff, 0x8b, ...d32(COUNTER)], { before: [0x0f, 0x85], to: `top ${n}`, size: 4 });
    if (random.chance(2)) pieces.push(code('0f01c1'));
  }
  pieces.push(code('0f01c1'), [0xe9, ...d32(0)]);
  const out = assemble([pieces], Guest.top);
  new DataView(out.buffer).setInt32(out.length - 4, -out.length, true);
  return out;
}
