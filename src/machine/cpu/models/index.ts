import type { CpuModel } from './model.ts';
import { haswell } from './haswell.ts';
import { max } from './max.ts';
import { nehalem } from './nehalem.ts';
import { penryn } from './penryn.ts';
import { sandybridge } from './sandybridge.ts';
import { skylake } from './skylake.ts';

/** Oldest first; `--cpu help` prints them in this order. */
export const cpuModels: readonly CpuModel[] = [penryn, nehalem, sandybridge, haswell, skylake, max];

export const DEFAULT_CPU_MODEL = skylake;

export function cpuModel(name: string): CpuModel | undefined {
  return cpuModels.find((m) => m.name === name.toLowerCase());
}
