import type { Plain } from './device.ts';

/** A copy of a device's state that later changes do not reach. */
export function copyState<T extends Plain>(state: T): T {
  return structuredClone(state);
}

/**
 * The state out of a snapshot, checked against the shape of the present one, so that a snapshot of another version or
 * machine is refused by name and not half applied. Arrays may differ in length (queues), objects not in their keys.
 */
export function checkedState<T extends Plain>(device: string, present: T, saved: Plain): T {
  compare(present, saved, device);
  return structuredClone(saved) as T;
}

function compare(present: Plain, saved: Plain | undefined, path: string): void {
  if (saved === undefined || kind(present) !== kind(saved)) throw new Error(`snapshot of ${path}: expected ${kind(present)}, found ${kind(saved)}`);
  if (Array.isArray(present)) {
    const [item] = present as readonly Plain[];
    if (item !== undefined) (saved as readonly Plain[]).forEach((s, n) => compare(item, s, `${path}[${n}]`));
  } else if (typeof present === 'object' && present !== null) {
    const [a, b] = [present as Record<string, Plain>, saved as Record<string, Plain>];
    for (const key of Object.keys(a)) compare(a[key]!, b[key], `${path}.${key}`);
    for (const key of Object.keys(b)) if (!(key in a)) throw new Error(`snapshot of ${path}: unknown field ${key}`);
  }
}

function kind(v: Plain | undefined): string {
  return v === null ? 'null' : Array.isArray(v) ? 'array' : typeof v;
}
