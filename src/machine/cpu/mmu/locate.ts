/** From a linear page to a physical page, through the TLB where it knows and with an entry left there where it may. */
import type { PhysAddr } from '../../memory/address.ts';
import { RAM } from '../../memory/layout.ts';
import * as L from '../layout.ts';
import { hasDataBreakpointIn } from '../breakpoint-registers.ts';
import type { Cpu } from '../cpu.ts';
import { insertDataAt, lookupSeen, tlbHalf } from './tlb.ts';
import { leaf, pageFault, walk, Want } from './walk.ts';
import { watchesPage } from './watch.ts';

/** Marks of a physical page (`PhysicalMemory.pageMarks`): writes to any marked page are seen, and reads of a watched one. */
export const PageMark = { code: 1, watched: 2 } as const;

/**
 * Physical address of a data byte, or -1 when it faults: `leaf.errorCode` then says how (`pageFault` makes the exception).
 * Throws what EPT throws.
 */
export function locate(cpu: Cpu, high: number, low: number, want: number): PhysAddr {
  const half = tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), (want & Want.user) !== 0);
  const known = lookupSeen(cpu, half, high, low, (want & Want.write) !== 0);
  if (known >= 0) return known * 4096 + (low & 0xfff);
  const physical = walk(cpu, high, low, want);
  // An implicit access at CPL 3 may use what the supervisor half knows, and leave there only what holds for any supervisor.
  if (physical < 0 || !leaf.cacheRead || watchesPage?.(cpu, high, low) || hasDataBreakpointIn(cpu, high, low)) return physical;
  const page = Math.floor(physical / 4096);
  const { memory } = cpu.machine;
  if (memory.isRam(page * 4096)) {
    const marks = memory.pageMarks[page]!;
    insertDataAt(
      cpu,
      half,
      high,
      low,
      RAM + page * 4096,
      page,
      (marks & PageMark.watched) === 0,
      leaf.cacheWrite && marks === 0,
      leaf.cacheWrite && marks === PageMark.code,
    );
  }
  return physical;
}

/** The same for callers that want the exception thrown. */
export function locateOrThrow(cpu: Cpu, high: number, low: number, want: number): PhysAddr {
  const physical = locate(cpu, high, low, want);
  if (physical < 0) throw pageFault(cpu, high, low);
  return physical;
}
