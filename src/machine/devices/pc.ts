import type { MachineServices } from '../machine-services.ts';
import { AcpiPm } from './acpi-pm.ts';
import { COPROCESSOR_IRQ, CoprocessorError } from './coprocessor-error.ts';
import { mapDebugPorts } from './debug-ports.ts';
import type { Device } from './device.ts';
import { FwCfg, fwCfgItems } from './fw-cfg.ts';
import { IoApic } from './ioapic.ts';
import type { IrqLine } from './irq-line.ts';
import { KeyboardController } from './keyboard/controller.ts';
import { ApicBus } from './lapic/bus.ts';
import { Lapic } from './lapic/lapic.ts';
import { LapicPages } from './lapic/mmio.ts';
import { registerLapicMsrs } from './lapic/msrs.ts';
import { LegacyPorts } from './legacy-ports.ts';
import type { PciFunction } from './pci/config-space.ts';
import { PciHost } from './pci/host.ts';
import { PcTestDevice } from './pc-testdev.ts';
import { hostBridge } from './pci/i440fx.ts';
import { isaBridge, powerManagement } from './pci/piix.ts';
import { Pic } from './pic/pic.ts';
import { Pit } from './pit/pit.ts';
import { leaveAsFirmware } from './preset.ts';
import { cmosContents } from './rtc/cmos.ts';
import { Rtc } from './rtc/rtc.ts';
import { SystemControl } from './system-control.ts';
import { COM1, COM2, Uart } from './uart.ts';

/** The interrupt that ACPI events raise; level-triggered. */
export const SCI_IRQ = 9;

export interface PcOptions {
  /** Index of the CPU whose access is being made: each sees its own local APIC. */
  readonly currentCpu: () => number;
  readonly onSerial?: (byte: number) => void;
  /** Present when given. */
  readonly onSerial2?: (byte: number) => void;
  readonly onDebugConsole?: (byte: number) => void;
  /** The value written to the debug exit port F4h. */
  readonly onDebugExit?: (value: number) => void;
  /**
   * `done`: no firmware runs on the CPU, so reset leaves the chipset as firmware would (preset.ts). `raw`: power-on state,
   * for real firmware from the reset vector.
   */
  readonly chipset?: 'done' | 'raw';
  /** QEMU's pc-testdev. */
  readonly testDevice?: boolean;
}

export interface PcDevices {
  /** All devices, in the order for reset. */
  readonly all: readonly Device[];
  /** By CPU index; the machine sets `cpu.irq` to them. */
  readonly lapics: readonly Lapic[];
  readonly apicBus: ApicBus;
  readonly ioapic: IoApic;
  readonly pic: Pic;
  readonly pit: Pit;
  readonly rtc: Rtc;
  readonly pm: AcpiPm;
  readonly pmFunction: PciFunction;
  readonly pci: PciHost;
  readonly com1: Uart;
  readonly com2: Uart | undefined;
  readonly keyboard: KeyboardController;
  /** ISA interrupt line 0..15, to the PIC and the IOAPIC both. */
  isaIrq(irq: number): IrqLine;
  /** Presses the machine's NMI button: every CPU's LINT1, unless the CMOS port masks NMI. */
  nmi(): void;
  /** Power-on and reset of all devices. The CPUs are reset before, so that IA32_APIC_BASE is right. */
  reset(): void;
}

/** Builds the PC's devices and the wires between them. */
export function createPc(machine: MachineServices, options: PcOptions): PcDevices {
  const { clock, ports, memory, cpus } = machine;
  const apicBus = new ApicBus();
  // INTR of the PIC goes to LINT0 of every CPU; software opens it on one of them.
  const pic: Pic = new Pic(ports, (intr) => lapics.forEach((l) => l.setLint(0, intr)));
  const lapics: Lapic[] = cpus.map((cpu) => new Lapic(cpu, apicBus, pic));
  const lapicPages = new LapicPages(machine, lapics, options.currentCpu);
  for (const apic of lapics) apic.onBaseChanged = () => lapicPages.update();
  registerLapicMsrs(machine, lapics);
  const ioapic = new IoApic(apicBus);
  memory.mapMmio(ioapic.range);

  const isaIrq =
    (irq: number): IrqLine =>
    (asserted) => {
      pic.setLine(irq, asserted);
      ioapic.setLine(irq === 0 ? 2 : irq, asserted); // the timer is on pin 2, as the MADT's override says
    };
  const pit = new Pit(clock, ports, isaIrq(0));
  const rtc = new Rtc(clock, ports, isaIrq(8), cmosContents(memory.ramSize, cpus.length));
  const pm = new AcpiPm(machine, isaIrq(SCI_IRQ));
  const keyboard = new KeyboardController(machine, isaIrq(1));
  const systemControl = new SystemControl(machine);
  const com1 = new Uart(machine, COM1, isaIrq(COM1.irq), options.onSerial ?? ignore);
  const com2 = options.onSerial2 && new Uart(machine, COM2, isaIrq(COM2.irq), options.onSerial2);
  const pci = new PciHost(machine);
  pci.add(hostBridge());
  pci.add(isaBridge());
  const pmFunction = pci.add(powerManagement((base) => pm.setBase(base)));
  mapDebugPorts(ports, options.onDebugConsole ?? ignore, options.onDebugExit ?? ignore);
  const fwCfg = new FwCfg(ports, fwCfgItems(memory.ramSize, cpus.length));
  const testDevice = options.testDevice === true ? [new PcTestDevice(machine, (n) => (n < 16 ? isaIrq(n) : (on) => ioapic.setLine(n, on)))] : [];
  const coprocessorError = new CoprocessorError(ports, cpus, isaIrq(COPROCESSOR_IRQ));
  const legacy = new LegacyPorts(ports);

  // Interrupt controllers come first, so that a line that a device drives in its own reset finds them ready.
  const all: Device[] = [
    ...lapics,
    ioapic,
    pic,
    pci,
    pm,
    pit,
    rtc,
    keyboard,
    systemControl,
    com1,
    ...(com2 ? [com2] : []),
    fwCfg,
    ...testDevice,
    coprocessorError,
    legacy,
  ];
  const pc: PcDevices = {
    all, lapics, apicBus, ioapic, pic, pit, rtc, pm, pmFunction, pci, com1, com2, keyboard, isaIrq,
    nmi() {
      if (rtc.nmiMasked) return;
      for (const level of [true, false]) for (const l of lapics) l.setLint(1, level);
    },
    reset() {
      for (const device of all) device.reset();
      lapicPages.update();
      if (options.chipset !== 'raw') leaveAsFirmware(machine, pc);
    },
  }; // prettier-ignore
  return pc;
}

const ignore = (): void => {};
