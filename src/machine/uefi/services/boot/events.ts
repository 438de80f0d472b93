import { buffer, kept, optionalGuid, out64, u32, u64, uintn } from '../../call/arguments.ts';
import { Gpr, type Call } from '../../call/call.ts';
import { internal, service, TRANSFERRED, type Result } from '../../call/service.ts';
import { Tpl, EventType } from '../../constants.ts';
import { closeEvent, createEvent, pollEvent, queueNotify, requireEvent, signalEvent } from '../../events/events.ts';
import { probeCall, saveContext, setInterrupts } from '../../events/context.ts';
import { dispatch, finishWithDispatch } from '../../events/dispatch.ts';
import { Refusal, Status, invalid } from '../../status.ts';
import type { EventEntry } from '../../state.ts';
import { Flag } from '../../../cpu/cpu.ts';
import { tickRuns } from '../../boot/timer.ts';

/** Event, timer and task priority services: UEFI 2.10, 7.1. */

/** RFLAGS.IF is clear at TPL_HIGH_LEVEL and set on the way down from it; below, a caller's own CLI stays. */
export const RaiseTPL = service('RaiseTPL', [uintn('NewTpl')], ({ fw, cpu }, tpl) => {
  const { state } = fw;
  const old = state.tpl;
  if (tpl < old || tpl > Tpl.high) {
    fw.machine.log.once('efi RaiseTPL', `RaiseTPL(${tpl}) at TPL ${old}: ignored`);
    return BigInt(old);
  }
  if (tpl >= Tpl.high) setInterrupts(cpu, false);
  state.tpl = tpl;
  return BigInt(old);
});

export const RestoreTPL = service('RestoreTPL', [uintn('OldTpl')], (call, tpl) => {
  const { fw, cpu } = call;
  probeCall(fw, cpu, call.stack);
  if (tpl > fw.state.tpl || tpl < Tpl.application) {
    fw.machine.log.once('efi RestoreTPL', `RestoreTPL(${tpl}) at TPL ${fw.state.tpl}: ignored`);
    return 0n;
  }
  if (fw.state.tpl >= Tpl.high && tpl < Tpl.high) setInterrupts(cpu, true);
  return finishWithDispatch(call, 0n, tpl);
});

export const CreateEvent = service(
  'CreateEvent',
  [u32('Type'), uintn('NotifyTpl'), kept('NotifyFunction'), kept('NotifyContext'), out64('Event')],
  ({ fw }, type, tpl, notify, context, result) => {
    result.set(createEvent(fw.state, type, tpl, notify, context, null).event);
    return Status.SUCCESS;
  },
);

export const CreateEventEx = service(
  'CreateEventEx',
  [u32('Type'), uintn('NotifyTpl'), kept('NotifyFunction'), kept('NotifyContext'), optionalGuid('EventGroup'), out64('Event')],
  ({ fw }, type, tpl, notify, context, group, result) => {
    if (group !== undefined && (type === EventType.signalExitBootServices || type === EventType.signalVirtualAddressChange)) throw invalid();
    result.set(createEvent(fw.state, type, tpl, notify, context, group ?? null).event);
    return Status.SUCCESS;
  },
);

const TimerType = { cancel: 0, periodic: 1, relative: 2 } as const;
const TICK_NS = 10_000_000;

export const SetTimer = service('SetTimer', [uintn('Event'), u32('Type'), u64('TriggerTime')], ({ fw }, event, type, trigger) => {
  const entry = requireEvent(fw.state, event);
  if ((entry.type & EventType.timer) === 0 || type > TimerType.relative) throw invalid();
  const ns = Number(trigger) * 100;
  // A time of 0 means the next tick, for periodic timers every tick: UEFI 2.10, 7.1.6.
  entry.due = type === TimerType.cancel ? null : fw.machine.clock.now() + ns;
  entry.period = type === TimerType.periodic ? Math.max(ns, TICK_NS) : 0;
  return Status.SUCCESS;
});

export const SignalEvent = service('SignalEvent', [uintn('Event')], (call, event) => {
  const entry = requireEvent(call.fw.state, event);
  probeCall(call.fw, call.cpu, call.stack);
  signalEvent(call.fw.state, entry);
  return finishWithDispatch(call, Status.SUCCESS);
});

export const CloseEvent = service('CloseEvent', [uintn('Event')], ({ fw }, event) => {
  if (requireEvent(fw.state, event).key) throw invalid();
  closeEvent(fw.state, event);
  return Status.SUCCESS;
});

/** An EVT_NOTIFY_WAIT event's function is called to let it signal itself: UEFI 2.10, 7.1.5 and 7.1.7. */
const mayCall = (e: EventEntry): boolean => (e.type & EventType.notifyWait) !== 0 && !e.key && !e.signaled;

/** Calls the events' functions and goes on at `slot` with all registers as they are. */
function askEvents(call: Call, events: readonly EventEntry[], slot: string): Result {
  const { fw, cpu } = call;
  probeCall(fw, cpu, call.stack);
  for (const e of events) queueNotify(fw.state, e);
  return dispatch(fw, cpu, saveContext(cpu, BigInt(fw.slot(slot))), fw.state.tpl);
}

function checkEvent(call: Call, event: number, ask: boolean): Result {
  const entry = requireEvent(call.fw.state, event);
  if ((entry.type & EventType.notifySignal) !== 0) throw invalid();
  if (ask && mayCall(entry) && entry.tpl > call.fw.state.tpl) return askEvents(call, [entry], 'CheckEvent.asked');
  return pollEvent(call.fw.state, entry) ? Status.SUCCESS : Status.NOT_READY;
}
export const CheckEvent = service('CheckEvent', [uintn('Event')], (call, event) => checkEvent(call, event, true));
export const CheckEventAsked = hidden(service('CheckEvent.asked', [uintn('Event')], (call, event) => checkEvent(call, event, false)));

const waitArguments = [uintn('NumberOfEvents'), buffer('Event'), out64('Index')] as const;

function waitForEvent(call: Call, count: number, at: bigint, ask: boolean, result: { set(value: number): void }): Result {
  const { fw } = call;
  if (count === 0 || count > 0x1000) throw invalid();
  if (fw.state.tpl !== Tpl.application) throw new Refusal(Status.UNSUPPORTED);
  const entries: EventEntry[] = [];
  for (let n = 0; n < count; n++) {
    const entry = fw.state.events.find((e) => e.event === Number(call.u64(at + BigInt(n) * 8n)));
    if (!entry || (entry.type & EventType.notifySignal) !== 0) {
      result.set(n);
      return Status.INVALID_PARAMETER;
    }
    entries.push(entry);
  }
  const ready = entries.findIndex((e) => (e.key ? fw.state.console.keys.length > 0 : e.signaled));
  if (ready >= 0) {
    pollEvent(fw.state, entries[ready]!);
    result.set(ready);
    return Status.SUCCESS;
  }
  const callable = entries.filter(mayCall);
  if (ask && callable.length > 0) return askEvents(call, callable, 'WaitForEvent.asked');
  return idle(call, 'WaitForEvent.again');
}

/** Nothing to do: the real instructions STI; HLT; JMP slot. The service's registers stay, so it begins again from its arguments. */
export function idle({ fw, cpu }: Call, slot: string): Result {
  cpu.rip = BigInt(fw.stub(`idle ${slot}`));
  return TRANSFERRED;
}

export const WaitForEvent = service('WaitForEvent', waitArguments, (call, count, at, result) => waitForEvent(call, count, at, true, result));
export const WaitForEventAgain = hidden(
  service('WaitForEvent.again', waitArguments, (call, count, at, result) => waitForEvent(call, count, at, true, result)),
);
export const WaitForEventAsked = hidden(
  service('WaitForEvent.asked', waitArguments, (call, count, at, result) => waitForEvent(call, count, at, false, result)),
);

function hidden<T extends object>(row: T): T & { readonly hidden: true } {
  return { ...row, hidden: true };
}

/** HLT waits for the next tick while the deadline is further away than this; the rest is a counted PAUSE loop. */
const HLT_ABOVE_NS = 2 * TICK_NS;
const SPIN_INSTRUCTIONS = 3; // PAUSE, DEC, JNZ: one nanosecond each

/**
 * Stall: time of the machine passes in real instructions, so that interrupts are taken and a VMM sees what it would see. R10 holds
 * the deadline, R11 the turns of the loop; both are volatile in the calling convention.
 */
function stallUntil(call: Call, deadline: bigint): Result {
  const { fw, cpu } = call;
  const left = Number(deadline) - fw.machine.clock.now();
  if (left <= 0) return Status.SUCCESS;
  cpu.setGpr(Gpr.r10, deadline);
  if (left > HLT_ABOVE_NS && (cpu.sysflags & Flag.IF) !== 0 && tickRuns(fw)) {
    cpu.rip = BigInt(fw.stub('stall halt'));
  } else {
    cpu.setGpr(Gpr.r11, BigInt(Math.max(1, Math.floor(left / SPIN_INSTRUCTIONS))));
    cpu.rip = BigInt(fw.stub('stall spin'));
  }
  return TRANSFERRED;
}

export const Stall = service('Stall', [u64('Microseconds')], (call, us) => {
  const ns = Math.min(Number(us) * 1000, Number.MAX_SAFE_INTEGER / 2);
  return stallUntil(call, BigInt(Math.ceil(call.fw.machine.clock.now() + ns)));
});
export const StallAgain = internal('Stall.again', (call) => {
  void call.returnTo;
  return stallUntil(call, call.cpu.gpr(Gpr.r10));
});
