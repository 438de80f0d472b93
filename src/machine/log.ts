/** Messages for the person, not for the guest. `once` drops repetitions of the same key. */
export interface Log {
  (message: string): void;
  once(key: string, message: string): void;
}

export function createLog(write: (message: string) => void): Log {
  const seen = new Set<string>();
  const log = (message: string): void => write(message);
  return Object.assign(log, {
    once(key: string, message: string): void {
      if (seen.has(key) || seen.size > 10_000) return;
      seen.add(key);
      write(message);
    },
  });
}
