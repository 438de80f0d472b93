import { readFileSync } from 'node:fs';
import { KernelBoot } from '../../../src/machine/boot/kernel.ts';
import { skylake } from '../../../src/machine/cpu/models/skylake.ts';
import { createLog } from '../../../src/machine/log.ts';
import { Machine } from '../../../src/machine/machine.ts';

/** A machine at the guest's Multiboot entry. */
export function machineWithGuest(elf: string, onSerial: (byte: number) => void): Machine {
  return new Machine({
    ...{ ramSize: 256 << 20, cpus: 1, model: skylake, log: createLog(() => {}), startDate: 0, onSerial },
    kernel: (services) => new KernelBoot(services, { kernel: readFileSync(elf), commandLine: '', modules: [] }),
  });
}
