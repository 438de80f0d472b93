import type { Cpu } from '../../../machine/cpu/cpu.ts';
import { CR4 } from '../../../machine/cpu/cpu.ts';
import { getPdpte } from '../../../machine/cpu/mmu/pdptes.ts';
import { pagingMode } from '../../../machine/cpu/mmu/describe.ts';
import type { PhysicalMemory } from '../../../machine/memory/physical.ts';
import type { MonitorContext } from '../command.ts';

/** Paging-structure entry bits: SDM Vol. 3, figure 4-11. */
const [PRESENT, WRITABLE, USER, PS] = [1, 2, 4, 0x80] as const;
const MAX_RANGES = 1000;
const MAX_TABLES = 200_000;

interface Range {
  start: bigint;
  end: bigint;
  readonly flags: string;
}

/** Lists what the page tables map. Bounded: tables may refer to themselves, and be large. */
class Mapper {
  readonly ranges: Range[] = [];
  truncated = false;
  readonly #cpu: Cpu;
  readonly #memory: PhysicalMemory;
  #tables = 0;

  constructor(cpu: Cpu, memory: PhysicalMemory) {
    this.#cpu = cpu;
    this.#memory = memory;
  }

  /** A table of entries that map `1 << shift` bytes each. `limit`: permissions of the entries above. */
  table(at: number, entrySize: 4 | 8, shift: number, linear: bigint, writable: boolean, user: boolean, executable: boolean): void {
    const bytes = this.#page(at);
    if (!bytes) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = 4096 / entrySize;
    for (let n = 0; n < count && !this.truncated; n++) {
      const entry = entrySize === 8 ? view.getBigUint64(n * 8, true) : BigInt(view.getUint32(n * 4, true));
      const low = Number(entry & 0xfffn);
      if ((low & PRESENT) === 0) continue;
      const start = canonical(linear + (BigInt(n) << BigInt(shift)), entrySize === 8 && this.#cpu.longMode);
      const w = writable && (low & WRITABLE) !== 0;
      const u = user && (low & USER) !== 0;
      const x = executable && entry >> 63n === 0n;
      if (shift === 12 || ((low & PS) !== 0 && this.#bigAllowed(shift)))
        this.#add(start, 1n << BigInt(shift), `${u ? 'u' : '-'}r${w ? 'w' : '-'}${x ? 'x' : '-'}`);
      else this.table(Number(entry & 0xf_ffff_ffff_f000n), entrySize, shift - (entrySize === 8 ? 9 : 10), start, w, u, x);
    }
  }

  #bigAllowed(shift: number): boolean {
    return shift === 22 ? (this.#cpu.cr4bits & CR4.PSE) !== 0 : shift <= 30;
  }

  #page(at: number): Uint8Array | undefined {
    if (++this.#tables > MAX_TABLES) this.truncated = true;
    const { guest } = this.#cpu;
    const physical = guest?.nested ? guest.peek(this.#cpu, at) : at;
    return physical !== undefined && !this.truncated && this.#memory.isRam(physical) ? this.#memory.peek(physical, 4096) : undefined;
  }

  #add(start: bigint, size: bigint, flags: string): void {
    const last = this.ranges.at(-1);
    if (last && last.end === start && last.flags === flags) last.end += size;
    else if (this.ranges.length >= MAX_RANGES) this.truncated = true;
    else this.ranges.push({ start, end: start + size, flags });
  }
}

const canonical = (a: bigint, wide: boolean): bigint => (wide && a >> 47n === 1n ? a | (0xffffn << 48n) : a);
const h = (v: bigint): string => v.toString(16).padStart(16, '0');

/** The linear address space as ranges of equal rights: u(ser) r w x. */
export function infoMem({ cpu, machine }: MonitorContext): string {
  const mode = pagingMode(cpu);
  if (!cpu.pagingOn) return 'paging is off: linear addresses are physical';
  const mapper = new Mapper(cpu, machine.memory);
  const root = Number(cpu.cr3 & 0xf_ffff_ffff_f000n);
  if (cpu.longMode) {
    mapper.table(root, 8, (cpu.cr4bits & CR4.LA57) !== 0 ? 48 : 39, 0n, true, true, true);
  } else if ((cpu.cr4bits & CR4.PAE) !== 0) {
    for (let n = 0; n < 4; n++) {
      const pdpte = getPdpte(cpu, n);
      if ((pdpte & 1n) !== 0n) mapper.table(Number(pdpte & 0xf_ffff_ffff_f000n), 8, 21, BigInt(n) << 30n, true, true, true);
    }
  } else {
    mapper.table(root, 4, 22, 0n, true, true, true);
  }
  const rows = mapper.ranges.map((r) => `${h(r.start)}-${h(r.end)} ${h(r.end - r.start)} ${r.flags}`);
  if (mapper.truncated) rows.push('... and more');
  return [`${mode}, CR3 ${h(cpu.cr3)}`, ...rows].join('\n');
}
