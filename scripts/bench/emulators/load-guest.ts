import { readFileSync } from 'node:fs';
import { loadControlRegisters } from '../../../src/machine/cpu/control-registers.ts';
import { skylake } from '../../../src/machine/cpu/models/skylake.ts';
import { setCodeSegment } from '../../../src/machine/cpu/system/segments.ts';
import { createLog } from '../../../src/machine/log.ts';
import { Machine } from '../../../src/machine/machine.ts';

/** A machine at the guest's multiboot entry: ELF32 in RAM, 32-bit protected mode without paging (Multiboot 0.6.96, 3.2). */
export function machineWithGuest(elf: string, onSerial: (byte: number) => void): Machine {
  const machine = new Machine({ ramSize: 256 << 20, cpus: 1, model: skylake, log: createLog(() => {}), startDate: 0, onSerial });
  const file = readFileSync(elf);
  for (let n = 0; n < file.readUInt16LE(44); n++) {
    const at = file.readUInt32LE(28) + n * 32;
    if (file.readUInt32LE(at) !== 1) continue;
    const offset = file.readUInt32LE(at + 4);
    machine.memory.poke(file.readUInt32LE(at + 12), file.subarray(offset, offset + file.readUInt32LE(at + 16)));
  }
  const cpu = machine.cpus[0]!;
  loadControlRegisters(cpu, { cr0: 0x11n, cr3: 0n, cr4: 0n, efer: 0n });
  for (const n of [0, 2, 3, 4, 5]) cpu.segments[n]!.load(0x10, 0n, 0xffff_ffff, 0xc093);
  setCodeSegment(cpu, 8, 0n, 0xffff_ffff, 0xc09b, 0);
  cpu.setGpr(0, 0x2bad_b002n);
  cpu.rip = BigInt(file.readUInt32LE(24));
  return machine;
}
