import type { MachineServices } from '../machine-services.ts';
import { DeliveryMode, Reg, SVR_ENABLE } from './lapic/registers.ts';
import type { PcDevices } from './pc.ts';
import { enablePmBlock } from './pci/piix.ts';

/** Vector bases of the PIC after UEFI firmware; every input is masked, so they matter only to spurious interrupts. */
const PIC_BASES = [0x68, 0x70] as const;
/** Edge/level: the SCI, ISA IRQ 9, is the one level-triggered line. */
const ELCR_HIGH = 0x02;

/** Port writes that firmware makes before it runs a boot loader, in order. */
const WRITES: readonly (readonly [port: number, value: number])[] = [
  ...[0x20, 0xa0].flatMap((port, n) => [[port, 0x11], [port + 1, PIC_BASES[n]!], [port + 1, n === 0 ? 4 : 2], [port + 1, 1], [port + 1, 0xff]] as const), // prettier-ignore
  [0x4d0, 0],
  [0x4d1, ELCR_HIGH],
];

/**
 * Leaves the chipset as firmware leaves it to the boot loader: PM block visible and in ACPI mode, the PICs initialized and
 * masked, and the bootstrap processor's local APIC in virtual wire mode (SDM Vol. 3, 11.4.7.1 for what it was; Intel
 * MultiProcessor Specification 1.4, 3.6.2.2 for the mode).
 */
export function leaveAsFirmware(machine: MachineServices, pc: PcDevices): void {
  enablePmBlock(pc.pmFunction);
  pc.pm.enableAcpi();
  for (const [port, value] of WRITES) machine.ports.write(port, 1, value);
  const bsp = pc.lapics[0]!;
  bsp.writeRegister(Reg.SVR, SVR_ENABLE | 0xff);
  bsp.writeRegister(Reg.LVT_LINT0, DeliveryMode.extInt << 8);
  bsp.writeRegister(Reg.LVT_LINT1, DeliveryMode.nmi << 8);
}
