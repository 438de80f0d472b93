import { PAGE } from './constants.ts';

export interface Range {
  readonly base: number;
  readonly length: number;
}

/** Where the firmware's fixed things lie: the last 512 KiB of RAM. Everything else is allocated through the memory map. */
export interface FirmwareLayout {
  readonly ramTop: number;
  /** Stub code: real instructions (EfiBootServicesCode). */
  readonly stubs: Range;
  readonly pageTables: Range;
  readonly gdt: Range;
  readonly idt: Range;
  readonly stack: Range;
  /** Boot services table, console protocols and all that ends with ExitBootServices. */
  readonly bootData: Range;
  /**
   * Trap slots, for boot services too: EfiRuntimeServicesCode is never given to an operating system, so no foreign code
   * can come to lie where executing means calling the firmware.
   */
  readonly traps: Range;
  /** System table, runtime services table, configuration table, vendor name. */
  readonly runtimeData: Range;
  readonly acpi: Range;
  readonly acpiNvs: Range;
}

export const FIRMWARE_SIZE = 0x8_0000;
export const MIN_RAM = 0x100_0000;
/** Stack of the boot processor: UEFI 2.10, 2.3.4 asks for 128 KiB or more. */
const STACK_SIZE = 0x4_0000;

export function firmwareLayout(ramSize: number): FirmwareLayout {
  if (ramSize < MIN_RAM) throw new Error(`the built-in UEFI needs at least ${MIN_RAM >> 20} MiB of RAM`);
  const ramTop = ramSize - (ramSize % PAGE);
  let at = ramTop - FIRMWARE_SIZE;
  const take = (length: number): Range => {
    const range = { base: at, length };
    at += length;
    return range;
  };
  const stubs = take(0x1000);
  const pageTables = take(6 * PAGE);
  const gdt = take(PAGE);
  const idt = take(PAGE);
  const stack = take(STACK_SIZE);
  const bootData = take(0x8000);
  const traps = take(0x4000);
  const runtimeData = take(0x8000);
  const acpi = take(0x1_0000);
  return { ramTop, stubs, pageTables, gdt, idt, stack, bootData, traps, runtimeData, acpi, acpiNvs: take(ramTop - at) };
}
