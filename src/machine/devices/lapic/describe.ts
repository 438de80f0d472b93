import { hex } from '../hex.ts';
import { LVT_MASKED, Reg, SVR_ENABLE } from './registers.ts';
import { vectorsOf } from './vector-set.ts';

const MODES = ['fixed', 'lowest', 'SMI', '3?', 'NMI', 'INIT', 'SIPI', 'ExtINT'];
const TIMER_MODES = ['one-shot', 'periodic', 'TSC-deadline', 'reserved'];
const LVTS = [
  ['timer', Reg.LVT_TIMER],
  ['thermal', Reg.LVT_THERMAL],
  ['perf', Reg.LVT_PERF],
  ['LINT0', Reg.LVT_LINT0],
  ['LINT1', Reg.LVT_LINT1],
  ['error', Reg.LVT_ERROR],
] as const;

/** `monitor info lapic`. */
export function describeLapic(name: string, regs: Uint32Array, currentCount: number, ppr: number, pending: number): string {
  const set = (base: number): string => vectorsOf(regs, base).map((v) => hex(v)).join(' ') || 'none'; // prettier-ignore
  const lvt = (index: number): string => {
    const v = regs[index]!;
    const mode = index === Reg.LVT_TIMER ? TIMER_MODES[(v >> 17) & 3] : index === Reg.LVT_ERROR ? 'fixed' : MODES[(v >> 8) & 7];
    return `${mode} vector ${hex(v & 0xff)}${(v & LVT_MASKED) !== 0 ? ' masked' : ''}`;
  };
  return [
    `${name}: id ${regs[Reg.ID]! >>> 24} ${(regs[Reg.SVR]! & SVR_ENABLE) !== 0 ? 'enabled' : 'software-disabled'}, spurious vector ${hex(regs[Reg.SVR]! & 0xff)}`,
    `  TPR ${hex(regs[Reg.TPR]!)} PPR ${hex(ppr)} LDR ${hex(regs[Reg.LDR]!, 8)} DFR ${hex(regs[Reg.DFR]!, 8)} ICR ${hex(regs[Reg.ICR_HIGH]!, 8)}_${hex(regs[Reg.ICR_LOW]!, 8)} ESR ${hex(regs[Reg.ESR]!)}`,
    `  deliverable ${pending < 0 ? 'none' : hex(pending)}; IRR ${set(Reg.IRR)}; ISR ${set(Reg.ISR)}; TMR ${set(Reg.TMR)}`,
    `  timer initial ${regs[Reg.INITIAL_COUNT]} current ${currentCount} divide ${hex(regs[Reg.DIVIDE]!, 1)}`,
    ...LVTS.map(([label, index]) => `  LVT ${label.padEnd(8)}${lvt(index)}`),
  ].join('\n');
}
