import type { LinearAddr } from '../../memory/address.ts';
import type { Cpu } from '../cpu.ts';

/**
 * Told of each data access that takes the slow path or is made by TypeScript, once translated and before it is carried
 * out. Accesses to watched pages (mark 2) always do, so watchpoints need nothing else. Observers only: no effect on the run.
 */
export type OnAccess = (cpu: Cpu, linear: LinearAddr, size: number, write: boolean) => void;

/** Null costs one test. */
export let onAccess: OnAccess | null = null;

export function setOnAccess(hook: OnAccess | null): void {
  onAccess = hook;
}
