/** What a model has of architectural performance monitoring: SDM Vol. 3, 20.2, as CPUID leaf 0AH reports it. */
import type { CpuModel, PerfmonModel } from '../models/model.ts';

/** General counters that any model has at most: there are that many registers. */
export const MAX_GENERAL = 8;
/** Fixed counters: instructions retired, core cycles, reference cycles (20.2.2). */
export const FIXED = 3;

export const perfmonOf = (model: CpuModel): PerfmonModel | undefined => (model.features.has('arch-perfmon') ? model.perfmon : undefined);

/** One bit for each counter, as in the global registers: the general ones from bit 0, the fixed ones from bit 32. */
export function counterBits(model: CpuModel): bigint {
  const perfmon = perfmonOf(model);
  return perfmon === undefined ? 0n : (((1n << BigInt(FIXED)) - 1n) << 32n) | ((1n << BigInt(perfmon.counters)) - 1n);
}

/** CPUID.0AH:EBX: seven architectural events are known; a bit says that one is not counted. Caches and branch prediction are not modelled. */
const EVENTS = 7;
const NOT_COUNTED = 0x78; // last-level cache references and misses, branches retired and mispredicted

export function perfmonLeaf(model: CpuModel): { eax: number; ebx: number; edx: number } | Record<string, never> {
  const perfmon = perfmonOf(model);
  if (!perfmon) return {};
  const { version, counters, width } = perfmon;
  return { eax: version | (counters << 8) | (width << 16) | (EVENTS << 24), ebx: NOT_COUNTED, edx: FIXED | (width << 5) };
}
