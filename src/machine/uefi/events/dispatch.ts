import type { Cpu } from '../../cpu/cpu.ts';
import { Tpl } from '../constants.ts';
import type { FirmwareContext } from '../context.ts';
import { TRANSFERRED, type Result } from '../call/service.ts';
import { Gpr, type Call } from '../call/call.ts';
import { opaque, type Context, type Frame } from '../state.ts';
import { enterFunction, probeCall, restoreVectors, resumeContext, saveContext, saveVectors, setInterrupts } from './context.ts';
import { expireTimers, nextNotify, takeNotify } from './events.ts';

/**
 * Lowers the task priority to `tpl`, calls the notifications that this lets through, one after the other, and goes on with
 * `context` (UEFI 2.10, 7.1.8, RestoreTPL). The stack below the context's RSP was probed. `vectors` is what an interrupt must give back.
 */
export function dispatch(
  fw: FirmwareContext,
  cpu: Cpu,
  context: Context,
  tpl: number,
  from: { vectors?: string; service?: string } = {},
): typeof TRANSFERRED {
  fw.state.tpl = tpl;
  callNext(fw, cpu, { kind: 'notify', sp: '0x0', context, vectors: from.vectors ?? null, tpl, service: from.service ?? null });
  return TRANSFERRED;
}

function callNext(fw: FirmwareContext, cpu: Cpu, frame: Frame & { kind: 'notify' }): void {
  const { state } = fw;
  const event = nextNotify(state, frame.tpl);
  if (!event) {
    state.tpl = frame.tpl;
    if (frame.vectors !== null) restoreVectors(cpu, frame.vectors);
    resumeContext(cpu, frame.context);
    if (frame.service !== null) fw.machine.probe?.firmwareReturn?.(cpu, frame.service, cpu.gpr(Gpr.rax));
    return;
  }
  takeNotify(state, event);
  state.tpl = event.tpl;
  const sp = enterFunction(fw, cpu, BigInt(frame.context.gprs[4]!), BigInt(event.notify), [BigInt(event.event), BigInt(event.context)]);
  setInterrupts(cpu, event.tpl < Tpl.high);
  state.frames.push({ ...frame, sp: opaque(sp) });
}

/** A notification function has returned. */
export function resumeNotify(fw: FirmwareContext, cpu: Cpu, frame: Frame & { kind: 'notify' }): void {
  probeCall(fw, cpu, BigInt(frame.context.gprs[4]!));
  fw.state.frames.pop();
  callNext(fw, cpu, frame);
}

/** Ends a service with `value` after the notifications that it has made callable at the present priority. */
export function finishWithDispatch(call: Call, value: bigint, tpl = call.fw.state.tpl): Result {
  const { fw, cpu } = call;
  // A service that has nothing to call is an ordinary service.
  if (!nextNotify(fw.state, tpl)) {
    fw.state.tpl = tpl;
    return value;
  }
  call.commit();
  const context = saveContext(cpu, call.returnTo, call.stack + 8n);
  context.gprs[Gpr.rax] = opaque(value);
  return dispatch(fw, cpu, context, tpl, { service: call.service });
}

/** The timer interrupt's stub calls this trap: timers expire, their notifications run, the interrupted code goes on. */
export function tick(call: Call): Result {
  const { fw, cpu } = call;
  void call.returnTo; // read before anything changes
  probeCall(fw, cpu, call.stack);
  const now = fw.machine.clock.now();
  expireTimers(fw.state, now);
  if (fw.state.watchdog !== null && fw.state.watchdog <= now) {
    fw.machine.log('the firmware watchdog (SetWatchdogTimer) expired: reset');
    fw.state.watchdog = null;
    fw.machine.request('reset');
  }
  if (!nextNotify(fw.state, fw.state.tpl)) return 0n;
  return dispatch(fw, cpu, saveContext(cpu, call.returnTo, call.stack + 8n), fw.state.tpl, { vectors: saveVectors(cpu) });
}
