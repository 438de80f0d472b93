import * as L from '../../../machine/cpu/layout.ts';
import { HOST_PAGE, PHYS_PAGE, READ_TAG, WRITE_TAG } from '../../../machine/cpu/mmu/tlb.ts';
import { TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../../machine/memory/layout.ts';
import type { MonitorContext } from '../command.ts';

/** A tag that no page has: the entry does not serve this kind of access. */
const INVALID = 1n;
const h = (v: bigint, digits = 16): string => v.toString(16).padStart(digits, '0');

/** Data translations cached for the address space and privilege in use, by linear address. */
export function infoTlb({ cpu }: MonitorContext): string {
  const base = cpu.u32(L.TLB);
  const { u64, u32 } = cpu.m;
  const rows: { page: bigint; text: string }[] = [];
  for (let n = 0; n < TLB_ENTRIES; n++) {
    const at = base + n * TLB_ENTRY_SIZE;
    const read = u64[(at + READ_TAG) >> 3]!;
    const write = u64[(at + WRITE_TAG) >> 3]!;
    if (read === INVALID && write === INVALID) continue;
    const page = read === INVALID ? write : read;
    const physical = BigInt(u32[(at + PHYS_PAGE) >> 2]!) << 12n;
    const slow = u32[(at + HOST_PAGE) >> 2] === 0 ? ' (device)' : '';
    rows.push({ page, text: `${h(page)}: ${h(physical, 12)} ${read === INVALID ? '-' : 'r'}${write === INVALID ? '-' : 'w'}${slow}` });
  }
  rows.sort((a, b) => (a.page < b.page ? -1 : a.page > b.page ? 1 : 0));
  return [`context ${cpu.u32(L.TLB_CONTEXT)}, ${rows.length} of ${TLB_ENTRIES} entries in use`, ...rows.map((r) => r.text)].join('\n');
}
