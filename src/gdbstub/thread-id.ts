/**
 * Thread ids (gdb manual, Remote Protocol: Packets, thread-id): `p1.2` with multiprocess extensions, `2` without. The
 * machine is one process, number 1, and CPU n is its thread n + 1.
 */
export const PROCESS = 1;

/** A thread number, or all of them (-1), or whichever (0). */
export type ThreadChoice = number | 'all' | 'any';

function number(text: string): ThreadChoice | undefined {
  if (text === '-1') return 'all';
  if (!/^[0-9a-fA-F]{1,8}$/.test(text)) return undefined;
  const n = parseInt(text, 16);
  return n === 0 ? 'any' : n;
}

export function parseThreadId(text: string): ThreadChoice | undefined {
  if (!text.startsWith('p')) return number(text);
  const [process, thread, rest] = text.slice(1).split('.');
  const p = number(process!);
  if (rest !== undefined || p === undefined || (typeof p === 'number' && p !== PROCESS)) return undefined;
  return thread === undefined ? 'all' : number(thread);
}

export function formatThreadId(thread: number, multiprocess: boolean): string {
  return multiprocess ? `p${PROCESS.toString(16)}.${thread.toString(16)}` : thread.toString(16);
}
