import type { Machine } from '../machine/machine.ts';
import { linearRip } from '../machine/cpu/block-finder.ts';
import { peekTranslate } from '../machine/cpu/mmu/walk.ts';
import type { Cpu } from '../machine/cpu/cpu.ts';
import type { RunSymbols } from './run-symbols.ts';

/** Where a CPU stands, by symbol where one is known. */
export function whereIs(cpu: Cpu, symbols: RunSymbols): string {
  const linear = linearRip(cpu);
  const physical = peekTranslate(cpu, linear);
  const name = physical === undefined ? undefined : (symbols.symbolizer.describe(physical) ?? cpuServiceName(cpu, physical));
  return `0x${linear.toString(16)}${name ? ` ${name}` : ''}`;
}

const cpuServiceName = (cpu: Cpu, physical: number): string | undefined => {
  const service = (cpu.machine as Machine).firmware?.serviceAt(physical);
  return service && `efi:${service}`;
};

/** What `--stats` and `--json` report. */
export function statistics(machine: Machine, seconds: number): Record<string, number> {
  const instructions = Number(machine.instructions);
  const { pages } = machine.runner.finder;
  return {
    instructions,
    seconds: Number(seconds.toFixed(3)),
    'instructions/s': Math.round(instructions / Math.max(seconds, 1e-6)),
    'machine time, ns': machine.clock.now(),
    'code pages decoded': pages.stats.pages,
    'code pages invalidated': pages.stats.invalidations,
    'code cache flushes': pages.stats.flushes,
    'peak memory, MiB': Math.round(process.resourceUsage().maxRSS / 1024),
  };
}
