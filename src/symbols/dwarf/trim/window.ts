/** The code that is kept, relative to the file's base (see LinkBase). */
export interface Window {
  readonly low: number;
  readonly high: number;
}

export function inside({ low, high }: Window, address: number): boolean {
  return address >= low && address < high;
}

/** The parts of start, end, start, end ... that lie in the window. */
export function clip({ low, high }: Window, ranges: readonly number[]): number[] {
  const kept: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const start = Math.max(ranges[i]!, low);
    const end = Math.min(ranges[i + 1]!, high);
    if (start < end) kept.push(start, end);
  }
  return kept;
}
