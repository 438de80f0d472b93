import { Hardware } from '../acpi/tables.ts';
import type { FirmwareContext } from '../context.ts';

/** What firmware does to the chipset before anything else runs: the interrupt controllers quiet, the ACPI block visible. */
export function setUpChipset(fw: FirmwareContext): void {
  const { ports } = fw.machine;
  const out = (port: number, value: number, size: 1 | 2 | 4 = 1): void => ports.write(port, size, value);

  // 8259 pair (8259A data sheet, ICW1-ICW4): vectors 68h and 70h, cascade on input 2, everything masked.
  for (const [command, vector, cascade] of [
    [0x20, 0x68, 4],
    [0xa0, 0x70, 2],
  ] as const) {
    for (const [port, value] of [[command, 0x11], [command + 1, vector], [command + 1, cascade], [command + 1, 1], [command + 1, 0xff]] as const) out(port, value); // prettier-ignore
  }

  // PIIX4 power management, function 0:1.3 (82371AB data sheet, 7.1): PMBASE, then PMREGMISC.PMIOSE, then SCI_EN.
  const pci = (register: number, value: number, size: 1 | 4): void => {
    out(0xcf8, (0x8000_0000 | (1 << 11) | (3 << 8) | (register & 0xfc)) >>> 0, 4);
    out(0xcfc + (register & 3), value, size);
  };
  pci(0x40, Hardware.pm1Event | 1, 4);
  pci(0x80, 1, 1);
  out(0xcf8, 0, 4);
  out(Hardware.pm1Control, 1, 2);
}
