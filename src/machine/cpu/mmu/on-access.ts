import type { LinearAddr } from '../../memory/address.ts';
import type { Cpu } from '../cpu.ts';

/**
 * Told of each data access that TypeScript makes and of each that the slow path stages, once translated and before it is
 * carried out. Pages that are watched, by mark 2 (locate.ts) or by linear address (watch.ts), never get a TLB entry, so
 * no access to them goes unseen. Observers only: no effect on the run.
 */
export type OnAccess = (cpu: Cpu, linear: LinearAddr, size: number, write: boolean) => void;

/** Null costs one test. */
export let onAccess: OnAccess | null = null;

export function setOnAccess(hook: OnAccess | null): void {
  onAccess = hook;
}
