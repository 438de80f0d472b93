/**
 * The first megabyte as `-kernel` leaves it, without a BIOS: like a PC's, with handlers for interrupts in real mode and the
 * ACPI tables where they are looked for.
 */
export const Low = {
  /** Real-mode interrupt vectors, all of them to `iret`. */
  vectors: 0,
  /** BIOS data area: base memory in KiB, the segment of the extended BIOS data area, and the count of timer ticks. */
  baseMemoryKib: 0x413,
  extendedData: 0x40e,
  ticks: 0x46c,
  /** Kernels may be loaded from here. */
  free: 0x1000,
  /** Multiboot information, command lines and memory map, if no kernel lies there. */
  information: 0x9_0000,
  /** End of usable memory below 1 MiB. */
  end: 0x9_fc00,
  acpiNvs: 0xe_0000,
  acpi: 0xe_0040,
  gdt: 0xf_0000,
  /** Addresses of the handlers in the PC's BIOS: IRQ 0, and the one that only returns. */
  timer: 0xf_fea5,
  iret: 0xf_ff53,
  high: 0x10_0000,
} as const;

/** BIOS INT 15H, AX=E820H: usable and reserved. */
export const MemoryType = { ram: 1, reserved: 2 } as const;

export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

export function memoryMap(ramSize: number): readonly MemoryRange[] {
  const range = (base: number, end: number, type: number): MemoryRange => ({ base, length: end - base, type });
  return [
    range(0, Low.end, MemoryType.ram),
    range(Low.end, 0xa_0000, MemoryType.reserved),
    range(Low.acpiNvs, Low.high, MemoryType.reserved),
    range(Low.high, ramSize, MemoryType.ram),
  ];
}
