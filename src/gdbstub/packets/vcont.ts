import { parseBig } from '../wire/encoding.ts';
import { parseThreadId, type ThreadChoice } from '../thread-id.ts';
import { Signal, type Resume } from '../target.ts';
import { stopReply } from '../stop-reply.ts';
import { concreteThread, isThread, malformed, type Packet, type SessionState } from './packet.ts';

type Wish = { readonly kind: 'step' | 'continue' | 'stop' } | { readonly kind: 'range'; readonly start: bigint; readonly end: bigint };

function parseWish(text: string): Wish | undefined {
  if (text === 's' || /^S[0-9a-fA-F]{2}$/.test(text)) return { kind: 'step' };
  if (text === 'c' || /^C[0-9a-fA-F]{2}$/.test(text)) return { kind: 'continue' };
  if (text === 't') return { kind: 'stop' };
  const range = /^r([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(text);
  const start = parseBig(range?.[1] ?? '');
  const end = parseBig(range?.[2] ?? '');
  return start === undefined || end === undefined ? undefined : { kind: 'range', start, end };
}

/** For each thread the leftmost action that names it (gdb manual: vCont packet); threads that none names stand still. */
function wishes(session: SessionState, args: string): Map<number, Wish> | undefined {
  const result = new Map<number, Wish>();
  const count = session.target.threads.count();
  for (const action of args.split(';')) {
    const colon = action.indexOf(':');
    const wish = parseWish(colon < 0 ? action : action.slice(0, colon));
    let who: ThreadChoice | undefined = colon < 0 ? 'all' : parseThreadId(action.slice(colon + 1));
    if (who === 'any') who = concreteThread(session, 'any');
    if (!wish || who === undefined || (typeof who === 'number' && !isThread(session.target, who))) return undefined;
    for (let t = 1; t <= count; t++) if ((who === 'all' || who === t) && !result.has(t)) result.set(t, wish);
  }
  return result;
}

/** While one CPU steps the others stand still: a step is then repeatable and never lost in another CPU's code. */
function plan(session: SessionState, chosen: Map<number, Wish>): Resume | undefined {
  for (const [thread, wish] of chosen) {
    if (wish.kind === 'step') return { kind: 'step', thread };
    if (wish.kind === 'range') return { kind: 'range', thread, start: wish.start, end: wish.end };
  }
  const going = [...chosen].filter(([, wish]) => wish.kind === 'continue').map(([thread]) => thread);
  if (going.length === 0) return undefined;
  return { kind: 'continue', threads: going.length === session.target.threads.count() ? 'all' : going };
}

export const vContQueryPacket: Packet = {
  name: 'vCont?',
  doc: { packet: 'vCont?', purpose: 'the actions vCont knows' },
  feature: 'vContSupported+',
  handle: () => 'vCont;c;C;s;S;t;r',
};

export const vContPacket: Packet = {
  name: 'vCont',
  doc: {
    packet: 'vCont;action[:id]...',
    purpose: 'continue, step, or step in a range of addresses (one stop per source line); the other CPUs stand while one steps',
  },
  handle: (session, args) => {
    const chosen = wishes(session, args);
    if (!chosen) return malformed();
    const resume = plan(session, chosen);
    if (resume) {
      session.act({ kind: 'resume', resume });
      return undefined;
    }
    session.lastStop = { kind: 'signal', thread: concreteThread(session, 'any'), signal: Signal.none };
    return stopReply(session.lastStop, session.target, session.client);
  },
};
