import type { Cpu, Segment } from '../../../machine/cpu/cpu.ts';
import * as L from '../../../machine/cpu/layout.ts';
import { describeMode } from '../../machine/mode.ts';
import type { MonitorContext } from '../command.ts';

const h = (v: bigint | number, digits: number): string => v.toString(16).padStart(digits, '0');
const GENERAL = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', ...Array.from({ length: 8 }, (_, n) => `R${n + 8}`)];
/** QEMU's order, which is that of the VMCS's tables: data registers around CS and SS. */
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDT', 'TR'];

function segment(name: string, s: Segment): string {
  const state = s.unusable ? ' unusable' : '';
  return `${name.padEnd(3)} =${h(s.selector, 4)} base ${h(s.base, 16)} limit ${h(s.limit, 8)} attributes ${h(s.attr & 0xffff, 4)} DPL ${s.dpl}${state}`;
}

/** All that gdb's own `info registers` cannot show: hidden parts of segments, descriptor tables, debug registers. */
export function infoRegisters({ cpu }: MonitorContext): string {
  const rows: string[] = [`CPU ${cpu.index}: ${describeMode(cpu)}`];
  for (let n = 0; n < 16; n += 4) rows.push(GENERAL.slice(n, n + 4).map((name, i) => `${name.padEnd(3)}=${h(cpu.gpr(n + i), 16)}`).join(' ')); // prettier-ignore
  rows.push(`RIP=${h(cpu.rip, 16)} RFLAGS=${h(cpu.rflags, 8)} ${interruptibility(cpu)}`.trimEnd());
  SEGMENTS.forEach((name, n) => rows.push(segment(name, cpu.segments[n]!)));
  rows.push(`GDT  base ${h(cpu.u64(L.GDTR_BASE), 16)} limit ${h(cpu.u32(L.GDTR_LIMIT), 4)}`);
  rows.push(`IDT  base ${h(cpu.u64(L.IDTR_BASE), 16)} limit ${h(cpu.u32(L.IDTR_LIMIT), 4)}`);
  rows.push(`CR0=${h(cpu.cr0, 8)} CR2=${h(cpu.cr2, 16)} CR3=${h(cpu.cr3, 16)} CR4=${h(cpu.cr4, 8)} CR8=${cpu.irq.getCr8()}`);
  rows.push([0, 1, 2, 3, 6, 7].map((n) => `DR${n}=${h(cpu.dr(n), 16)}`).join(' '));
  rows.push(
    `EFER=${h(cpu.efer, 16)} XCR0=${h(cpu.u64(L.XCR0), 16)} MXCSR=${h(cpu.u32(L.MXCSR), 8)} FCW=${h(cpu.u32(L.FCW), 4)} FSW=${h(cpu.u32(L.FSW), 4)}`,
  );
  return rows.join('\n');
}

/** Blocking of events: SDM Vol. 3, table 25-3. */
function interruptibility(cpu: Cpu): string {
  const names = [
    [1, 'STI'],
    [2, 'MOV SS'],
    [8, 'NMI'],
  ] as const;
  const blocked = names.filter(([bit]) => (cpu.interruptibility & bit) !== 0).map(([, name]) => name);
  return blocked.length > 0 ? `blocking by ${blocked.join(', ')}` : '';
}
