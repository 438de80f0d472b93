/**
 * What the firmware of a PC leaves in CMOS RAM for the operating system: memory sizes (RBIL, CMOS RAM; registers 5Bh on are
 * QEMU's and Bochs's) and the number of CPUs.
 */
export function cmosContents(ramSize: number, cpus: number): Map<number, number> {
  const kib = ramSize / 1024;
  const extended = Math.min(0xffff, Math.max(0, kib - 1024));
  const above16M = Math.min(0xffff, Math.max(0, Math.floor((kib - 16 * 1024) / 64)));
  const word = (register: number, value: number): [number, number][] => [
    [register, value & 0xff],
    [register + 1, value >> 8],
  ];
  return new Map([
    ...word(0x15, 640), // base memory, KiB
    ...word(0x17, extended),
    ...word(0x30, extended),
    ...word(0x34, above16M),
    [0x14, 0x04], // equipment: PS/2 port logic, no floppy, no display adapter of its own
    [0x5f, cpus - 1],
  ]);
}
