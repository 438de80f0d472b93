import { textToHex, toHex } from './wire/encoding.ts';
import { formatThreadId, PROCESS } from './thread-id.ts';
import type { StopEvent, Target } from './target.ts';
import { Signal } from './target.ts';

/**
 * Stop reply packets (gdb manual, Remote Protocol: Stop Reply Packets). rip, rsp and rbp go with every stop, so gdb needs
 * no `g` to unwind one frame. `swbreak` and `hwbreak` are sent only to a client that announced them: they tell it that
 * the program counter is already that of the breakpoint, an older client would take them for registers.
 */
export function stopReply(event: StopEvent, target: Target, client: ReadonlySet<string>): string {
  const multiprocess = client.has('multiprocess');
  if (event.kind === 'exited') {
    const code = (event.code & 0xff).toString(16).padStart(2, '0');
    return multiprocess ? `W${code};process:${PROCESS.toString(16)}` : `W${code}`;
  }
  const signal = event.kind === 'signal' ? event.signal : Signal.trap;
  let reply = `T${signal.toString(16).padStart(2, '0')}`;
  for (const n of target.registers.expedited) {
    const value = target.registers.read(event.thread, n);
    if (value) reply += `${n.toString(16).padStart(2, '0')}:${toHex(value)};`;
  }
  reply += `thread:${formatThreadId(event.thread, multiprocess)};`;
  switch (event.kind) {
    case 'breakpoint': {
      const reason = event.hardware ? 'hwbreak' : 'swbreak';
      return client.has(reason) ? `${reply}${reason}:;` : reply;
    }
    case 'watchpoint':
      return `${reply}${event.access}:${event.address.toString(16)};`;
    case 'library':
      return `${reply}library:;`;
    case 'signal':
      return reply;
  }
}

/** Console output packets of a text, in pieces that fit a packet. */
export function* consolePackets(text: string, limit: number): Iterable<string> {
  // A piece must not cut a character of several bytes in two; half the limit leaves room for hex, a sixth for UTF-8.
  const step = Math.floor(limit / 8);
  for (let at = 0; at < text.length; at += step) yield `O${textToHex(text.slice(at, at + step))}`;
}
