import type { Timer } from '../clock.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Pending, TSC_ADJUST } from '../cpu/layout.ts';
import { Exit, Pin } from './controls.ts';
import { PREEMPTION_TIMER_SHIFT } from './features.ts';
import { F } from './fields.ts';
import { PREEMPTION_DEADLINE } from './state.ts';
import type { Vmcs } from './vmcs.ts';

/**
 * The VMX-preemption timer: SDM Vol. 3, 26.5.1 and 27.7.4. It counts down by 1 every time a bit of the TSC changes. The TSC is the
 * machine's clock, so the timer is a deadline in it: nothing counts, and runs repeat.
 */
const PERIOD = 1 << PREEMPTION_TIMER_SHIFT;
const INACTIVE = 0xffff_ffff_ffff_ffffn;

const timers = new WeakMap<Cpu, Timer>();

/** The CPU's timer in the machine's clock, which a snapshot knows by its name: to be made with the machine. */
export function createPreemptionTimer(cpu: Cpu): Timer {
  let timer = timers.get(cpu);
  if (!timer) {
    // The boundary between two instructions asks whether it expired.
    timer = cpu.machine.clock.timer(`vmx-preemption ${cpu.index}`, () => cpu.raise(Pending.window));
    timers.set(cpu, timer);
  }
  return timer;
}

const active = (cpu: Cpu): boolean => cpu.u32(PREEMPTION_DEADLINE + 4) !== 0xffff_ffff;

/** VM entry starts it with the value of the guest-state area. */
export function startPreemptionTimer(cpu: Cpu, vmcs: Vmcs): void {
  if ((vmcs.num(F.pinControls) & Pin.preemptionTimer) === 0) return;
  const now = Math.floor(cpu.machine.clock.now());
  // Ticks since the TSC's bit last changed; the TSC offset and multiplier have no part in this.
  const phase = (now + cpu.u32(TSC_ADJUST)) % PERIOD;
  const value = vmcs.num(F.preemptionTimer);
  const deadline = value === 0 ? now : now - phase + value * PERIOD;
  cpu.setU64(PREEMPTION_DEADLINE, BigInt(deadline));
  if (value === 0) cpu.raise(Pending.window);
  else cpu.machine.clock.arm(createPreemptionTimer(cpu), deadline);
}

/** VM exit stops it, and saves what is left if the control says so (28.3.1). */
export function stopPreemptionTimer(cpu: Cpu, vmcs: Vmcs): void {
  if (!active(cpu)) return;
  const left = Number(cpu.u64(PREEMPTION_DEADLINE)) - Math.floor(cpu.machine.clock.now());
  cpu.setU64(PREEMPTION_DEADLINE, INACTIVE);
  cpu.machine.clock.arm(createPreemptionTimer(cpu), Infinity);
  if ((vmcs.num(F.exitControls) & Exit.savePreemptionTimer) !== 0) vmcs.setNum(F.preemptionTimer, left <= 0 ? 0 : Math.ceil(left / PERIOD));
}

export function preemptionTimerExpired(cpu: Cpu): boolean {
  return active(cpu) && cpu.machine.clock.now() >= Number(cpu.u64(PREEMPTION_DEADLINE));
}
