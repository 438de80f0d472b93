import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { createLog } from '../../src/machine/log.ts';
import { Machine, type MachineOptions } from '../../src/machine/machine.ts';
import { Firmware } from '../../src/machine/uefi/firmware.ts';
import { hostDirectory } from '../../src/cli/host-directory.ts';
import { embeddedGuest } from '../../src/cli/build-machine.ts';

export interface GuestMachine {
  readonly machine: Machine;
  /** What the console and the serial port have printed so far. */
  text(): string;
}

/** A machine about to boot the embedded guest. */
export function guestMachine(
  options: { readonly cpu?: string; readonly smp?: number; readonly ramSize?: number; readonly accel?: MachineOptions['accel'] } = {},
): GuestMachine {
  const out: number[] = [];
  const machine = new Machine({
    ramSize: options.ramSize ?? 128 << 20,
    cpus: options.smp ?? 1,
    model: parseCpuModel(options.cpu ?? 'skylake'),
    log: createLog(() => {}),
    startDate: Date.UTC(2026, 0, 1),
    ...(options.accel && { accel: options.accel }),
    onSerial: (byte) => out.push(byte),
    firmware: (s) =>
      new Firmware(s, { directory: hostDirectory(embeddedGuest()), image: { path: 'vmxguest.efi' }, console: { write: (b) => out.push(...b) } }),
  });
  return { machine, text: () => Buffer.from(out).toString('latin1') };
}

/** Runs to a total count of instructions (idle time passes at once). */
export function runTo(machine: Machine, instructions: bigint): void {
  for (;;) {
    const left = Number(instructions - machine.instructions);
    if (left <= 0) return;
    const reason = machine.run(left);
    if (reason.kind !== 'quantum' && reason.kind !== 'idle') throw new Error(`the run stopped: ${reason.kind}`);
  }
}
