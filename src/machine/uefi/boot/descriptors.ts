import { Pack } from '../pack.ts';

/** GDT, IDT and page tables of the firmware's 64-bit environment: UEFI 2.10, 2.3.4. */

/** Selectors as common UEFI firmware has them. */
export const CODE64 = 0x38;
export const DATA = 0x30;

/** Accessed bits are set, so that loading a selector writes nothing. */
const gdt = [
  0n,
  0x00cf_9300_0000_ffffn, // 08: data
  0x00cf_9b00_0000_ffffn, // 10: 32-bit code
  0x00cf_9300_0000_ffffn, // 18: data
  0x00cf_9b00_0000_ffffn, // 20: 32-bit code
  0n, //                     28
  0x00cf_9300_0000_ffffn, // 30: data
  0x00af_9b00_0000_ffffn, // 38: 64-bit code
  0n, //                     40
];
export const GDT_LIMIT = gdt.length * 8 - 1;
export const gdtBytes = (): Uint8Array => gdt.reduce((p, d) => p.u64(d), new Pack()).done();

/** Access rights of the selectors above in the VMCS format (cpu/layout.ts). */
export const DATA_ATTR = 0xc093;
export const CODE64_ATTR = 0xa09b;

const INTERRUPT_GATE = 0x8e;
export const IDT_LIMIT = 256 * 16 - 1;

/** 64-bit gates: SDM Vol. 3, 6.14.1. */
export function idtBytes(handler: (vector: number) => number): Uint8Array {
  const pack = new Pack();
  for (let vector = 0; vector < 256; vector++) {
    const at = handler(vector);
    pack
      .u16(at & 0xffff)
      .u16(CODE64)
      .u8(0, INTERRUPT_GATE)
      .u16(at >>> 16)
      .u32(0)
      .u32(0);
  }
  return pack.done();
}

const PRESENT_WRITABLE_ACCESSED = 0x23;
const LARGE_DIRTY = 0xc0;
const PAGE = 4096;

/** The identity map of the low 4 GiB in 2-MiB pages: PML4, PDPT, four page directories. Accessed and dirty are set. */
export function identityTables(base: number): Uint8Array {
  const pack = new Pack().u64(base + PAGE + PRESENT_WRITABLE_ACCESSED).align(PAGE);
  for (let n = 0; n < 4; n++) pack.u64(base + (2 + n) * PAGE + PRESENT_WRITABLE_ACCESSED);
  pack.align(PAGE);
  for (let n = 0; n < 2048; n++) pack.u64(n * 0x20_0000 + PRESENT_WRITABLE_ACCESSED + LARGE_DIRTY);
  return pack.done();
}
