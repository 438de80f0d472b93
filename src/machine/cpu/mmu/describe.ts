/** The page walk as text, for `monitor gva2gpa` and `info tlb`. Looks without touching: no flag set, no exit caused. */
import type { LinearAddr } from '../../memory/address.ts';
import { CR4, type Cpu } from '../cpu.ts';
import { getPdpte } from './pdptes.ts';
import { leaf, peekTranslate } from './walk.ts';

const LEVELS = ['', 'PTE', 'PDE', 'PDPTE', 'PML4E', 'PML5E'];
/** Entry bits by letter: SDM Vol. 3, table 4-20. */
const BITS: readonly (readonly [bit: number, on: string, off: string])[] = [
  [0, 'P', '-'],
  [1, 'W', 'R'],
  [2, 'U', 'S'],
  [5, 'A', '-'],
  [6, 'D', '-'],
  [7, 'PS', '-'],
  [8, 'G', '-'],
];

const hex = (v: bigint | number, digits = 0): string => '0x' + v.toString(16).padStart(digits, '0');

export function pagingMode(cpu: Cpu): string {
  if (!cpu.pagingOn) return 'paging off';
  if (cpu.longMode) return (cpu.cr4bits & CR4.LA57) !== 0 ? '5-level paging' : '4-level paging';
  return (cpu.cr4bits & CR4.PAE) !== 0 ? 'PAE paging' : '32-bit paging';
}

/** One line for the mode, one for each entry met, one for the result. */
export function describeWalk(cpu: Cpu, linear: LinearAddr): string[] {
  const nested = cpu.guest?.nested === true;
  const lines = [
    `${hex(BigInt.asUintN(64, linear), 16)}: ${pagingMode(cpu)}, CR3 ${hex(cpu.cr3)}${nested ? ', addresses of tables are guest-physical' : ''}`,
  ];
  leaf.depth = 0;
  const physical = peekTranslate(cpu, linear);
  if (pagingMode(cpu) === 'PAE paging') {
    const n = Number((linear >> 30n) & 3n);
    lines.push(`  PDPTE register ${n}: ${hex(getPdpte(cpu, n), 16)}`);
  }
  for (let n = 0; n < leaf.depth; n++) {
    const low = leaf.low[n]!;
    const flags = BITS.map(([bit, on, off]) => ((low >>> bit) & 1 ? on : off)).join(' ');
    const value = (BigInt(leaf.high[n]!) << 32n) | BigInt(low);
    lines.push(
      `  ${LEVELS[leaf.level[n]!]!.padEnd(5)} at ${hex(leaf.address[n]!, 9)}: ${hex(value, 16)} ${flags}${leaf.high[n]! >>> 31 ? ' XD' : ''}`,
    );
  }
  if (physical === undefined) lines.push('  not mapped');
  else lines.push(nested ? `  guest-physical ${hex(leaf.guestPhysical)}, physical ${hex(physical)}` : `  physical ${hex(physical)}`);
  return lines;
}
