import { LAPIC_TICK_NS } from '../../devices/lapic/timer.ts';
import type { FirmwareContext } from '../context.ts';

/** The 10 ms tick on the local APIC's timer: SDM Vol. 3, 11.5.4. Registers by their offsets in the APIC page. */
export const TIMER_VECTOR = 0x20;
const TICK_NS = 10_000_000;
const LAPIC = 0xfee0_0000;
const Register = { tpr: 0x80, spurious: 0xf0, timer: 0x320, initialCount: 0x380, divide: 0x3e0 } as const;

const MASKED = 0x1_0000;
const PERIODIC = 0x2_0000;
const ENABLE = 0x100;
const SPURIOUS_VECTOR = 0xff;
const DIVIDE_BY_1 = 0xb;

export function startTick(fw: FirmwareContext): void {
  const write = (register: number, value: number): void => fw.machine.memory.write(LAPIC + register, 4, value);
  write(Register.spurious, ENABLE | SPURIOUS_VECTOR);
  write(Register.tpr, 0);
  write(Register.divide, DIVIDE_BY_1);
  write(Register.timer, PERIODIC | TIMER_VECTOR);
  write(Register.initialCount, TICK_NS / LAPIC_TICK_NS);
}

/** False when a guest has masked or stopped the timer: then nothing would end a HLT. */
export function tickRuns(fw: FirmwareContext): boolean {
  const { memory } = fw.machine;
  return (memory.read(LAPIC + Register.timer, 4) & MASKED) === 0 && memory.read(LAPIC + Register.initialCount, 4) !== 0;
}

export function stopTick(fw: FirmwareContext): void {
  fw.machine.memory.write(LAPIC + Register.timer, 4, MASKED | TIMER_VECTOR);
  fw.machine.memory.write(LAPIC + Register.initialCount, 4, 0);
}
