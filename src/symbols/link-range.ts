/** Link addresses from `low` up to, not including, `high`. */
export interface LinkRange {
  readonly low: bigint;
  readonly high: bigint;
}

export function inRange({ low, high }: LinkRange, address: bigint): boolean {
  return address >= low && address < high;
}

export function covers(outer: LinkRange, inner: LinkRange): boolean {
  return outer.low <= inner.low && outer.high >= inner.high;
}

export function touch(a: LinkRange, b: LinkRange): boolean {
  return a.low <= b.high && b.low <= a.high;
}

export function join(a: LinkRange, b: LinkRange): LinkRange {
  return { low: a.low < b.low ? a.low : b.low, high: a.high > b.high ? a.high : b.high };
}
