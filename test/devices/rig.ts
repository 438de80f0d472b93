/** A PC's devices on the fake machine, with a clock that the test moves by hand. */
import { EventClock } from '../../src/machine/clock-impl.ts';
import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import { APIC_BASE } from '../../src/machine/cpu/layout.ts';
import { createPc, type PcDevices, type PcOptions } from '../../src/machine/devices/pc.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';

export const START = Date.UTC(2026, 1, 28, 23, 59, 58);

export interface Rig {
  readonly machine: FakeMachine;
  readonly clock: EventClock;
  readonly pc: PcDevices;
  readonly serial: number[];
  readonly debug: number[];
  readonly exits: number[];
  /** The CPU that accesses MMIO. */
  current: number;
  out(port: number, ...bytes: number[]): void;
  in(port: number, size?: 1 | 2 | 4): number;
  /** Local APIC register by MMIO offset, of the current CPU. */
  apic(offset: number): number;
  setApic(offset: number, value: number): void;
  ioapic(index: number): number;
  setIoapic(index: number, value: number): void;
  /** Requests made since the last look, by name. */
  requests(): string[];
}

export function withEventClock(machine: FakeMachine, startDate = START): EventClock {
  const clock = new EventClock(startDate);
  clock.setKick(() => machine.kick());
  Object.assign(machine, { clock });
  return clock;
}

export function rig(options: { cpus?: number } & Partial<PcOptions> = {}): Rig {
  const model = { ...skylake, features: new Set([...skylake.features, 'x2apic']) };
  const machine = fakeMachine({ cpus: options.cpus ?? 1, ramSize: 32 << 20, model });
  const clock = withEventClock(machine);
  for (const cpu of machine.cpus) cpu.setU64(APIC_BASE, cpu.index === 0 ? 0xfee0_0900n : 0xfee0_0800n);
  const [serial, debug, exits]: number[][] = [[], [], []];
  const r: Rig = {
    machine,
    clock,
    serial: serial!,
    debug: debug!,
    exits: exits!,
    current: 0,
    pc: createPc(machine, {
      currentCpu: () => r.current,
      onSerial: (b) => void serial!.push(b),
      onDebugConsole: (b) => void debug!.push(b),
      onDebugExit: (b) => void exits!.push(b),
      chipset: 'raw',
      ...options,
    }),
    out(port, ...bytes) {
      for (const b of bytes) machine.ports.write(port, 1, b);
    },
    in: (port, size = 1) => machine.ports.read(port, size),
    apic: (offset) => machine.memory.read(0xfee0_0000 + offset, 4),
    setApic: (offset, value) => machine.memory.write(0xfee0_0000 + offset, 4, value),
    ioapic(index) {
      machine.memory.write(0xfec0_0000, 4, index);
      return machine.memory.read(0xfec0_0010, 4);
    },
    setIoapic(index, value) {
      machine.memory.write(0xfec0_0000, 4, index);
      machine.memory.write(0xfec0_0010, 4, value);
    },
    requests: () => machine.requests.splice(0).map((q) => q.what),
  };
  r.pc.reset();
  return r;
}

/** Opens the PIC pair with vectors 20h-2Fh, nothing masked, and the BSP's APIC as a virtual wire. */
export function virtualWire(r: Rig, icw4 = 1): void {
  r.out(0x20, 0x11);
  r.out(0x21, 0x20, 4, icw4, 0);
  r.out(0xa0, 0x11);
  r.out(0xa1, 0x28, 2, icw4, 0);
  r.setApic(0xf0, 0x1ff);
  r.setApic(0x350, 0x700);
}
