/** Random guest code: loops in which instructions that may exit stand between others. */
import { F } from '../../../src/machine/vmx/fields.ts';
import type { VmxFeatureName } from '../../../src/machine/vmx/features.ts';
import { bytes } from '../../support/bytes.ts';
import { littleEndian } from '../../host-cpu/addressing.ts';
import { assemble, type Item } from '../../host-cpu/assembler.ts';
import { DATA } from '../../host-cpu/case.ts';
import { HOME, programInstruction } from '../../host-cpu/program-instruction.ts';
import type { Random } from '../../host-cpu/random.ts';
import type { GuestKind } from './kinds.ts';
import { Place } from './places.ts';

type Size = GuestKind['size'];

const d32 = (n: number): number[] => [...littleEndian(n, 4)];
const [RAX, RCX, RDX, RBX, RSP, RSI, RDI] = [0, 1, 2, 3, 4, 6, 7] as const;

/** mov e[acd]x, value */
const mov32 = (size: Size, register: number, value: number): number[] => [...(size === 16 ? [0x66] : []), 0xb8 | register, ...d32(value)];
/** The same of the size of an address. */
function movWord(size: Size, register: number, value: number): number[] {
  if (size === 64) return [0x48, 0xc7, 0xc0 | register, ...d32(value)];
  return [0xb8 | register, ...littleEndian(value, size / 8)];
}

/** Instructions that may exit, by what they do to rAX to rDX at most. */
const ANYWHERE = [
  '530fa25b', '0f31', '0f01f9', '0f01c1', 'f390', 'f390f390f390f390', '0f20c00f22c0', '0f20d80f22d8', '0f20e00f22e0', '0f21f8', '0f21f80f23f8', '0f21f0', '0f09',
  '0f08', 'e480', 'e680', 'ec', 'ee', '6c', '6e', '0fc7f0', '0fc7f8', 'f4', 'fbf4', 'fbf4fa', 'fb', 'fa', 'fb90fa', '31c931c00f01d4', '31c031c9b1010f01d4', '0f0b', 'cc',
  'cd80', '8cd08ed0', 'fb8cd08ed0', '0f06', '0f01e00f01f0', '31c90f01d0', '31c931d231c0b0070f01d1', '31c90f33', '31c931d20f01c8', '31c90f01c9', '0f78c8', '0f79c1', '0f01c4', '0f01c2',
]; // prettier-ignore
/** [rBX] and others that real-address mode does not have. */
const PROTECTED = [
  '0f013b', '0f0103', '0f010b', '0f01030f0113', '0f010b0f011b', '0f00c0', '0f00c8', '31c00f00d0', '31d231c0b0070fc72b', '31d231c0b0070fc72b0fc71b', '660f38820b',
  '660f38800b', '660f38810b', '0fc733', '0fc73b', '9c810c24000100009d90909c812424fffeffff9d',
]; // prettier-ignore
const LONG = ['440f20c0440f22c0', '31c0440f22c0', 'b005440f22c0440f20c0', '0f01f80f01f8'];
const REAL = ['0f013f', '0f0107', '0f010f', '9c5880cc01509d90909c5880e4fe509d'];

/** [the APIC-access page + offset] with a register field; `after`: an immediate. */
function apicOperand(size: Size, opcode: readonly number[], reg: number, offset: number, after: readonly number[] = []): number[] {
  if (size === 64) return [...opcode, (reg << 3) | 4, 0x25, ...d32(Place.apicAccess + offset), ...after];
  if (size === 32) return [...opcode, (reg << 3) | 5, ...d32(Place.apicAccess + offset), ...after];
  return [0x26, ...opcode, (reg << 3) | 6, ...littleEndian(offset, 2), ...after];
}

const READ = [
  0x20, 0x30, 0x80, 0x80, 0x80, 0xa0, 0xb0, 0xd0, 0xe0, 0xf0, 0x100, 0x170, 0x210, 0x280, 0x300, 0x310, 0x320, 0x380, 0x390, 0x3e0, 0x3f0,
];
const WRITTEN = [0x80, 0x80, 0x80, 0xb0, 0xb0, 0x300, 0x300, 0x300, 0x20, 0xf0, 0x280, 0x310, 0x320, 0x380, 0x3e0, 0x3f0];
const vector = (random: Random): number => 0x20 + random.below(0xd0);

/** What is written to a register of the local APIC: most interrupt commands are for an interrupt to self. */
function apicValue(random: Random, register: number): number {
  if (register === 0x80) return random.below(16) << 4;
  if (register === 0xb0) return random.chance(8) ? 1 : 0;
  if (register === 0x3f0) return vector(random);
  return register === 0x300 && !random.chance(4) ? 0x4_0000 | vector(random) : random.u32();
}

/** An access to the local APIC's page: of the usual width, or of another. */
function apicAccess(size: Size, random: Random): number[] {
  const wide = size === 16 ? [0x66] : [];
  const odd = random.chance(6) ? random.below(15) : 0;
  const register = random.pick(WRITTEN);
  const operand = (opcode: readonly number[], reg: number, offset: number, after?: readonly number[]): number[] => {
    const out = apicOperand(size, opcode, reg, offset + odd, after);
    return opcode.length === 1 ? [...wide, ...out] : out;
  };
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return operand([0x8b], RAX, random.pick(READ));
    case 3:
      return [...wide, ...apicOperand(size, [0x81], 0, 0x80, d32(0x10))]; // add dword [TPR], 10H
    case 4:
      return operand([0x87], RDX, register); // xchg
    case 5:
      return apicOperand(size, [random.pick([0x8a, 0x88])], RCX, register + odd); // a byte
    case 6:
      return apicOperand(size, [0x0f, random.pick([0x10, 0x11])], 1, register); // 16 bytes
    case 7:
      return size === 64 ? operand([0x48, random.pick([0x8b, 0x89])], RDX, register) : operand([0x0f, 0x6f], 1, register); // 8 bytes
    case 8:
      return [...apicOperand(size, [0xff], 6, register + odd), 0x58 | RDX]; // push; pop rdx
    default:
      return operand([0xc7], 0, register, d32(apicValue(random, register)));
  }
}

const X2APIC_READ = [2, 3, 8, 8, 0xa, 0xb, 0xd, 0xf, 0x10, 0x20, 0x28, 0x30, 0x38, 0x3e];

function x2apicAccess(size: Size, random: Random): number[] {
  const at = (register: number): number[] => mov32(size, RCX, 0x800 | register);
  if (random.chance(3)) return [...at(random.pick(X2APIC_READ)), 0x0f, 0x32];
  const register = random.pick([8, 8, 0xb, 0xb, 0x3f, 0x3f, 0x30, 0xf]);
  return [...at(register), ...mov32(size, RAX, apicValue(random, register << 4)), 0x31, 0xd2, 0x0f, 0x30]; // xor edx, edx; wrmsr
}

const MSRS = [0x10, 0x277, 0xc000_0080, 0x174, 0x176, 0x1d9, 0xc000_0082, 0xc000_0100, 0x3a, 0xda0, 0x38f];

/** Reads an MSR and writes back what was there; sometimes one that does not exist. */
function msrAccess(size: Size, random: Random): number[] {
  return [...mov32(size, RCX, random.chance(15) ? 0x1234_5678 : random.pick(MSRS)), 0x0f, 0x32, ...(random.chance(2) ? [0x0f, 0x30] : [])];
}

/** VMREAD and VMWRITE, which a shadow VMCS answers. */
function vmcsAccess(size: Size, random: Random): number[] {
  const field = random.pick([F.guestRip, F.guestCr0, F.exitReason, F.ioBitmapA, F.guestEsSelector]);
  return [...mov32(size, RCX, field.encoding), 0x0f, ...(random.chance(2) ? [0x78, 0xc8] : [0x79, 0xc8])];
}

/** Changes to another mode and back, around an instruction. */
function modeChange(size: Size, between: Item): Item[] {
  if (size === 16) return [[...bytes('0f20c0 0c01 0f22c0')], between, [...bytes('0f20c0 24fe 0f22c0')]]; // CR0.PE
  return [[...bytes('0f20c0 0fbae81f 0f22c0')], between, [...bytes('0f20c0 0fbaf01f 0f22c0')]]; // CR0.PG
}

/** A string instruction, often repeated and backwards; some write to the local APIC's page, some are input and output. */
function stringInstruction(size: Size, random: Random): number[] {
  const op = random.pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0x6c, 0x6d, 0x6e, 0x6f]);
  const wide = random.chance(4) ? [0x66] : size === 64 && op >= 0xa4 && random.chance(3) ? [0x48] : [];
  const from = DATA + 0x1500 + random.below(64) - (size === 16 ? DATA : 0);
  const to = size === 16 ? random.below(0x400) : random.chance(6) ? Place.apicAccess + random.pick(WRITTEN) : DATA + 0x1f00 + random.below(512);
  return [
    ...[...movWord(size, RSI, from), ...movWord(size, RDI, to), ...movWord(size, RCX, random.pick([0, 1, 3, 40, 600]))],
    ...[random.chance(4) ? 0xfd : 0xfc, ...random.pick([[], [0xf3], [0xf3], [0xf2]]), ...wide, op, 0xfc],
  ];
}

/** Displacements from rBX of the loops' counter and of the count of beginnings. */
const COUNTER = -0x7c0;
const BEGINNINGS = -0x7b8;
const PADS = 16;

/** [rBX + displacement] with a register field. */
const home = (size: Size, reg: number, disp: number): number[] =>
  size === 16 ? [0x80 | (reg << 3) | 7, ...littleEndian(disp, 2)] : [0x80 | (reg << 3) | 3, ...d32(disp)];

/** Registers and memory as the code needs them. A fault leads here: each time the code then goes on at another place, or it would never get beyond. */
function beginning(kind: GuestKind): Item[] {
  const { size } = kind;
  const base = size === 16 ? DATA : 0;
  const word = size === 16 ? 2 : 4;
  return [
    { label: 'begin' },
    movWord(size, RBX, HOME - base),
    movWord(size, RSI, DATA + 0x1500 - base),
    movWord(size, RDI, (size === 16 ? 0 : DATA) + 0x1600),
    movWord(size, RSP, kind.stack),
    [0xc7, ...home(size, 0, COUNTER), ...littleEndian(5, word)],
    [0xfe, ...home(size, 0, BEGINNINGS), 0x8a, ...home(size, RAX, BEGINNINGS), 0x24, PADS - 1], // inc byte [..]; mov al, [..]; and al, 15
    ...Array.from({ length: PADS }, (_, n): Item[] => [[0x3c, n], { before: [0x0f, 0x84], to: `pad ${n}`, size: word }]).flat(), // cmp al, n; je
  ];
}

/** Loops of random instructions, with branches and an instruction that changes. */
export function randomGuest(kind: GuestKind, features: ReadonlySet<VmxFeatureName>, random: Random): Uint8Array {
  const { size } = kind;
  const word = size === 16 ? 2 : 4;
  const sensitive = [...ANYWHERE, ...(size === 64 ? [...PROTECTED, ...LONG] : size === 32 ? PROTECTED : REAL)];
  const instruction = (): Item => programInstruction(`${size}`, random);
  // x2APIC's MSRs fault unless they are virtualized or exit.
  const x2apic = features.has('virtualize-x2apic') || !features.has('msr-bitmaps');
  const mayExit = (): Item[] => {
    switch (random.below(20)) {
      case 0:
      case 1:
      case 2:
        return [apicAccess(size, random)];
      case 3:
      case 4:
        return [x2apic ? x2apicAccess(size, random) : apicAccess(size, random)];
      case 5:
        return [msrAccess(size, random)];
      case 6:
        return features.has('vmcs-shadowing') ? [vmcsAccess(size, random)] : [];
      case 7:
        return features.has('unrestricted-guest') && size !== 64 ? modeChange(size, instruction()) : [];
      case 8:
      case 9:
        return [stringInstruction(size, random)];
      default:
        return [features.has('virtualize-apic-accesses') && random.chance(2) ? apicAccess(size, random) : [...bytes(random.pick(sensitive))]];
    }
  };
  const items = beginning(kind);
  // How often an instruction is one that may exit: one in so many.
  const rare = random.pick([2, 3, 5, 15]);
  let labels = 0;
  let pads = 0;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const top = `top ${n}`;
    items.push([0xc7, ...home(size, 0, COUNTER), ...littleEndian(3 + random.below(40), word)], { label: top });
    for (let left = 6 + random.below(20); left > 0; left--) {
      const to = `l${labels++}`;
      if (pads < PADS && random.chance(2)) items.push({ label: `pad ${pads++}` });
      if (random.chance(rare)) items.push(...mayExit());
      else if (random.chance(6)) items.push({ before: [0x70 + random.below(16)], to, size: 1 }, instruction(), instruction(), { label: to });
      else if (random.chance(25)) {
        // The immediate of the next instruction counts up.
        const before = { 64: [0xfe, 0x04, 0x25], 32: [0xfe, 0x05], 16: [0x2e, 0xfe, 0x06] }[size];
        items.push({ before, to, size: word, absolute: true, add: 1 }, { label: to }, [0xb8, ...littleEndian(random.u32(), word)]);
      } else items.push(instruction());
    }
    items.push([0xff, ...home(size, 1, COUNTER)], { before: [0x0f, 0x85], to: top, size: word });
    if (random.chance(2)) items.push([...bytes('0f01c1')]);
  }
  while (pads < PADS) items.push({ label: `pad ${pads++}` });
  // The information area of virtualization exceptions is free again; at the beginning, its accesses would raise one after another.
  if (size !== 16) items.push([0xc7, ...(size === 64 ? [0x04, 0x25] : [0x05]), ...d32(Place.veInfo + 4), ...d32(0)]);
  items.push([...bytes('0f01c1')], { before: [0xe9], to: 'begin', size: word });
  return assemble([items], kind.top);
}
