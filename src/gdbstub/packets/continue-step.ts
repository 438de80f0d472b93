import { parseBig } from '../wire/encoding.ts';
import type { Resume } from '../target.ts';
import { concreteThread, malformed, type Packet, type Reply, type SessionState } from './packet.ts';

/**
 * The packets of clients without vCont: `c`, `s` with an optional address, `C`, `S` with a signal and an optional address.
 * They act on the thread chosen with `Hc`. A machine has no signals to deliver, so the number is ignored.
 */
function resume(session: SessionState, args: string, withSignal: boolean, plan: (session: SessionState) => Resume): Reply {
  const parts = /^(?:([0-9a-fA-F]{1,2})(?:;|$))?([0-9a-fA-F]*)$/.exec(withSignal ? args : `00;${args}`);
  if (!parts?.[1]) return malformed();
  const [, , address] = parts;
  if (address) {
    const pc = parseBig(address);
    if (pc === undefined) return malformed();
    session.target.registers.setPc(concreteThread(session, session.resumed), pc);
  }
  session.act({ kind: 'resume', resume: plan(session) });
  return undefined;
}

const goOn = (session: SessionState): Resume => ({ kind: 'continue', threads: typeof session.resumed === 'number' ? [session.resumed] : 'all' });
const stepOne = (session: SessionState): Resume => ({ kind: 'step', thread: concreteThread(session, session.resumed) });

export const continuePacket: Packet = {
  name: 'c',
  doc: { packet: 'c [addr]', purpose: 'continue' },
  handle: (session, args) => resume(session, args, false, goOn),
};
export const continueSignalPacket: Packet = {
  name: 'C',
  doc: { packet: 'C sig[;addr]', purpose: 'continue; the signal is ignored' },
  handle: (session, args) => resume(session, args, true, goOn),
};
export const stepPacket: Packet = {
  name: 's',
  doc: { packet: 's [addr]', purpose: 'one instruction on one CPU' },
  handle: (session, args) => resume(session, args, false, stepOne),
};
export const stepSignalPacket: Packet = {
  name: 'S',
  doc: { packet: 'S sig[;addr]', purpose: 'one instruction; the signal is ignored' },
  handle: (session, args) => resume(session, args, true, stepOne),
};
