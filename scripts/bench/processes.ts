import { readdirSync, readFileSync } from 'node:fs';

/** The process and what it started: behind a terminal the emulator is a grandchild. */
function family(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number)); // prettier-ignore
    return [pid, ...children.flatMap(family)];
  } catch {
    return []; // ended meanwhile
  }
}

/** proc(5), schedstat: nanoseconds on a processor, by thread. */
export function cpuSecondsOf(pid: number): number {
  let nanoseconds = 0;
  for (const p of family(pid)) {
    try {
      for (const task of readdirSync(`/proc/${p}/task`))
        nanoseconds += Number(readFileSync(`/proc/${p}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // ended meanwhile
    }
  }
  return nanoseconds / 1e9;
}

function statusMiB(pid: number, field: string): number {
  const sizes = family(pid).map((p) => {
    try {
      return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${p}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    } catch {
      return 0;
    }
  });
  return Math.max(0, ...sizes);
}

export const peakMiB = (pid: number): number => statusMiB(pid, 'VmHWM');
export const residentMiB = (pid: number): number => statusMiB(pid, 'VmRSS');

/** Ends a process that was started as the leader of its group, with the group. */
export function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}
