import { PciFunction, header } from './config-space.ts';

const byte = (name: string, offset: number, value = 0, writable = 0xff) => ({ name, offset, size: 1, value, writable }) as const;

/** PIIX3 ISA bridge (82371SB data sheet, 2.2): the PCI interrupt routes are kept for firmware; no PCI device interrupts yet. */
export function isaBridge(): PciFunction {
  return new PciFunction('PIIX3 ISA bridge', { device: 1, function: 0 }, [
    ...header(0x8086, 0x7000, 0x06_01_00, { command: 7, type: 0x80 }),
    byte('IORT', 0x4c, 0x4d),
    { name: 'XBCS', offset: 0x4e, size: 2, value: 0x0003, writable: 0x0fff },
    ...['A', 'B', 'C', 'D'].map((pin, n) => byte(`PIRQRC${pin}`, 0x60 + n, 0x80, 0x8f)),
    byte('TOM', 0x69, 2),
    byte('MBIRQ0', 0x70, 0x80),
    byte('APICBASE', 0x80, 0, 0x7f),
    byte('DLC', 0x82),
    byte('SMICNTL', 0xa0, 8),
    byte('APMC enable', 0xa2),
  ]);
}

/** Where the PM block lies after firmware: the value goes into the FADT too. */
export const DEFAULT_PM_BASE = 0x600;
const PMBASE = 0x40;
const PMREGMISC = 0x80;

/**
 * PIIX4 power management function (82371AB data sheet, 7.1). `setPmBase` follows PMBASE while PMREGMISC.PMIOSE is set.
 */
export function powerManagement(setPmBase: (base: number) => void): PciFunction {
  const fn = new PciFunction('PIIX4 power management', { device: 1, function: 3 }, [
    ...header(0x8086, 0x7113, 0x06_80_00, { revision: 3 }),
    { name: 'interrupt pin', offset: 0x3d, size: 1, value: 1 },
    { name: 'PMBASE', offset: PMBASE, size: 4, value: 1, writable: 0xffc0 },
    { name: 'DEVACTB', offset: 0x58, size: 4, value: 0, writable: 0x0300_0000 },
    byte('PMREGMISC', PMREGMISC, 0, 1),
    { name: 'SMBBA', offset: 0x90, size: 4, value: 1, writable: 0xfff0 },
    byte('SMBHSTCFG', 0xd2, 0, 0x0f),
  ]);
  fn.onWrite = () => setPmBase((fn.read(PMREGMISC, 1) & 1) !== 0 ? fn.read(PMBASE, 4) & 0xffc0 : 0);
  return fn;
}

/** What firmware does to make the PM block visible. */
export function enablePmBlock(fn: PciFunction, base = DEFAULT_PM_BASE): void {
  fn.write(PMBASE, 4, base);
  fn.write(PMREGMISC, 1, 1);
}
