/** Modes that a guest begins in. */
import { CR0, CR4 } from '../../../src/machine/cpu/cpu.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { Entry } from '../../../src/machine/vmx/controls.ts';
import { F, guestSegments } from '../../../src/machine/vmx/fields.ts';
import type { Vmcs } from '../../../src/machine/vmx/vmcs.ts';
import { bytes } from '../../support/bytes.ts';
import { littleEndian } from '../../host-cpu/addressing.ts';
import { DATA } from '../../host-cpu/case.ts';
import { At } from '../rig.ts';
import { Place } from './places.ts';

export interface GuestKind {
  readonly name: string;
  readonly size: 16 | 32 | 64;
  /** RIP at the beginning, and the linear address that it means. */
  readonly top: number;
  readonly code: number;
  readonly stack: number;
  /** Linear address of the handler of vector 0; others follow at 16 bytes each. */
  readonly handlers: number;
  /** Only with "unrestricted guest". */
  readonly unrestricted: boolean;
  /** Writes the guest-state area, whose baseline a 64-bit guest is, and the tables it needs. */
  readonly write: (machine: Machine, vmcs: Vmcs) => void;
}

const PSE = BigInt(CR4.PSE);
const PAE = BigInt(CR4.PAE);

/** Legacy mode with flat segments: 32-bit paging with 4-MByte pages, of which the directory is there too when paging is off. */
function write32({ memory }: Machine, vmcs: Vmcs): void {
  vmcs.setNum(F.entryControls, vmcs.num(F.entryControls) & ~Entry.ia32eModeGuest);
  vmcs.setBig(F.guestEfer, 0x800n);
  vmcs.setNum(F.guestCsAccessRights, 0xc09b);
  memory.write64(Place.gdt32 + 8, 0x00cf_9b00_0000_ffffn);
  memory.write64(Place.gdt32 + 16, 0x00cf_9300_0000_ffffn);
  for (let v = 0; v < 256; v++) {
    const to = Place.handlers32 + v * 16;
    memory.write64(Place.idt32 + v * 8, BigInt(to & 0xffff) | 0x8e00_0008_0000n | (BigInt(to >>> 16) << 48n));
  }
  for (let n = 0; n < 4; n++) memory.write(Place.pageDirectory + n * 4, 4, (n << 22) | 0xe7);
  vmcs.setBig(F.guestGdtrBase, BigInt(Place.gdt32));
  vmcs.setBig(F.guestIdtrBase, BigInt(Place.idt32));
  vmcs.setBig(F.guestCr3, BigInt(Place.pageDirectory));
  vmcs.setBig(F.guestCr4, (vmcs.big(F.guestCr4) & ~PAE) | PSE);
}

const clearCr0 = (vmcs: Vmcs, bits: number): void => vmcs.setBig(F.guestCr0, vmcs.big(F.guestCr0) & ~BigInt(bits));
const place32 = { size: 32, top: At.guestCode, code: At.guestCode, stack: At.guestStack, handlers: Place.handlers32 } as const;

function writeReal(machine: Machine, vmcs: Vmcs): void {
  write32(machine, vmcs);
  clearCr0(vmcs, CR0.PG | CR0.PE);
  // Bases that real-address mode cannot load are legal at VM entry: the guest's data, and the APIC-access page for ES.
  const bases: Readonly<Record<string, number>> = { CS: Place.realCode, SS: Place.realStack, DS: DATA, ES: Place.apicAccess };
  for (const s of guestSegments) {
    if (s.name === 'TR' || s.name === 'LDTR') continue;
    const base = bases[s.name] ?? 0;
    vmcs.setNum(s.selector, base < 0x10_0000 ? base >> 4 : 0);
    vmcs.setBig(s.base, BigInt(base));
    vmcs.setNum(s.limit, 0xffff);
    vmcs.setNum(s.accessRights, 0x93);
  }
  for (let v = 0; v < 256; v++)
    machine.memory.write(Place.ivt + v * 4, 4, (Place.realHandlers - Place.realCode + v * 16) | ((Place.realCode >> 4) << 16));
  vmcs.setBig(F.guestIdtrBase, BigInt(Place.ivt));
  vmcs.setNum(F.guestIdtrLimit, 0x3ff);
}

export const guestKinds: readonly GuestKind[] = [
  {
    ...{ name: '64-bit', size: 64, top: At.guestCode, code: At.guestCode, stack: At.guestStack, handlers: At.guestHandler, unrestricted: false },
    write: () => {},
  },
  { name: '32-bit paging', ...place32, unrestricted: false, write: write32 },
  {
    ...{ name: 'PAE paging', ...place32, unrestricted: false },
    write(machine, vmcs) {
      write32(machine, vmcs);
      for (let n = 0; n < 8; n++) machine.memory.write64(Place.paeDirectory + n * 8, BigInt(n << 21) | 0xe7n);
      machine.memory.write64(Place.pdpt, BigInt(Place.paeDirectory) | 1n);
      vmcs.setBig(F.guestPdpte0, BigInt(Place.paeDirectory) | 1n);
      vmcs.setBig(F.guestCr3, BigInt(Place.pdpt));
      vmcs.setBig(F.guestCr4, vmcs.big(F.guestCr4) | PAE);
    },
  },
  {
    ...{ name: 'protected mode without paging', ...place32, unrestricted: true },
    write(machine, vmcs) {
      write32(machine, vmcs);
      clearCr0(vmcs, CR0.PG);
    },
  },
  {
    ...{ name: 'real-address mode', size: 16, top: 0, code: Place.realCode, stack: 0x4000, handlers: Place.realHandlers, unrestricted: true },
    write: writeReal,
  },
];

const d32 = (n: number): number[] => [...littleEndian(n, 4)];
const d16 = (n: number): number[] => [...littleEndian(n, 2)];

/** mov dword [EOI register], 0 */
const eoi = {
  64: [0xc7, 0x04, 0x25, ...d32(Place.apicAccess + 0xb0), ...d32(0)],
  32: [0xc7, 0x05, ...d32(Place.apicAccess + 0xb0), ...d32(0)],
  16: [0x26, 0x66, 0xc7, 0x06, ...d16(0xb0), ...d32(0)],
} as const;
const iret = { 64: [0x48, 0xcf], 32: [0xcf], 16: [0xcf] } as const;

/**
 * Handlers at 16 bytes each: of #DB, NMI, #BP and interrupts an IRET, after an EOI for odd ones; of other exceptions, whose
 * error code differs, the way back to the beginning.
 */
export function writeHandlers({ memory }: Machine, kind: GuestKind): void {
  const { size, handlers, stack } = kind;
  for (let vector = 0; vector < 256; vector++) {
    const at = handlers + vector * 16;
    const returns = (vector >= 1 && vector <= 3) || vector >= 32;
    const setStack = size === 64 ? [...bytes('48c7c4'), ...d32(stack)] : [0xbc, ...(size === 32 ? d32(stack) : d16(stack))];
    const word = size === 16 ? 2 : 4;
    const back = [...setStack, 0xe9, ...littleEndian(kind.code - at - setStack.length - 1 - word, word)];
    memory.poke(at, Uint8Array.from(returns ? [...(vector >= 32 && vector & 1 ? eoi[size] : []), ...iret[size]] : back));
  }
}
