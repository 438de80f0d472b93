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

/** Where the instructions were executed, and what compiling took. */
function tier1Statistics({ runner: { regions } }: Machine, instructions: number): Record<string, number> {
  const { stats } = regions;
  return {
    'tier 0 instructions': instructions - regions.instructions,
    'tier 1 instructions': regions.instructions,
    'regions compiled': stats.compiles,
    'regions given up': stats.givenUp,
    'regions evicted': stats.evictions,
    'regions invalidated': stats.invalidations,
    'instructions compiled': stats.instructions,
    'seconds compiling': Number((stats.milliseconds / 1000).toFixed(3)),
    'WebAssembly, bytes': stats.wasmBytes,
    'compiled code, estimated bytes': regions.bytes,
  };
}

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
    ...tier1Statistics(machine, instructions),
    'peak memory, MiB': Math.round(process.resourceUsage().maxRSS / 1024),
  };
}
