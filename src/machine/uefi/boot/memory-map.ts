import { MemoryType, PAGE } from '../constants.ts';
import type { FirmwareContext } from '../context.ts';
import type { Range } from '../layout.ts';
import { setRegion } from '../memory/map.ts';

/** The first memory map: RAM, what the firmware keeps of it, and the ranges of devices. */
export function describeMachine(fw: FirmwareContext): void {
  const { layout: l, state } = fw;
  const set = (base: number, end: number, type: number): void => setRegion(state.map, base, (end - base) / PAGE, type);
  const put = (r: Range, type: number): void => set(r.base, r.base + r.length, type);
  set(0, 0xa_0000, MemoryType.conventional);
  set(0, 0x1000, MemoryType.bootServicesData); // so that no allocation is at address 0
  set(0x9_f000, 0xa_0000, MemoryType.reserved); // extended BIOS data area
  set(0xa_0000, 0x10_0000, MemoryType.reserved); // VGA window and ROMs
  set(0x10_0000, l.ramTop, MemoryType.conventional);
  put(l.stubs, MemoryType.bootServicesCode);
  for (const r of [l.pageTables, l.gdt, l.idt, l.stack, l.bootData]) put(r, MemoryType.bootServicesData);
  put(l.traps, MemoryType.runtimeServicesCode);
  put(l.runtimeData, MemoryType.runtimeServicesData);
  put(l.acpi, MemoryType.acpiReclaim);
  put(l.acpiNvs, MemoryType.acpiNvs);
  set(0xfec0_0000, 0xfec0_1000, MemoryType.mmio); // IOAPIC
  set(0xfee0_0000, 0xfee0_1000, MemoryType.mmio); // local APIC
  set(0xffc0_0000, 0x1_0000_0000, MemoryType.mmio); // flash
}
