import type { Cpu } from '../cpu.ts';

/**
 * Linear pages that a debugger or the guest's debug registers watch: they get no TLB entry, so that every access to them
 * takes the slow path and is seen there. Null costs one test.
 */
export let watchesPage: ((cpu: Cpu, high: number, low: number) => boolean) | null = null;

export function setWatchesPage(test: typeof watchesPage): void {
  watchesPage = test;
}
