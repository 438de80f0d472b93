import { DATA } from '../../host-cpu/case.ts';
import { At } from '../rig.ts';

/** Physical addresses beyond those of `At`. Linear addresses are the same, but for the guest's data, which EPT puts elsewhere. */
export const Place = {
  /** The hypervisor's: exits by reason, and what it does about them. */
  counts: 0x24_a000, skip: 0x24_a400, invept: 0x24_a420, permissions: 0x24_a430,
  eptDirectory: At.ept + 0x2000, dataEntry: At.ept + 0x2000 + (DATA >> 21) * 8,
  /** A second EPT, for EPTP switching. */
  otherEpt: 0x27_0000, otherDirectory: 0x27_2000,
  /** Paging and descriptor tables of 32-bit guests, and the interrupt table of those in real-address mode. */
  pageDirectory: 0x25_0000, pdpt: 0x25_1000, paeDirectory: 0x25_2000, gdt32: 0x25_3000, idt32: 0x25_4000, handlers32: 0x25_5000, ivt: 0x25_6000,
  realCode: 0x8000, realHandlers: 0x9000, realStack: 0xa000,
  /** Pages that VMCS fields point to. */
  pml: 0x26_0000, eptpList: 0x26_1000, vmreadBitmap: 0x26_2000, vmwriteBitmap: 0x26_3000, veInfo: 0x26_4000, apicAccess: 0x26_5000, posted: 0x26_6000,
} as const; // prettier-ignore

/** The vector that announces posted interrupts. */
export const NOTIFICATION = 0xf2;
