import { describeMode, linearPc } from '../../machine/mode.ts';
import { hex, type MonitorContext } from '../command.ts';

/** One line per CPU: where it is, in which mode, how much it has done. */
export function infoCpus(context: MonitorContext): string {
  return context.machine.cpus
    .map((cpu) => {
      const mark = cpu === context.cpu ? '*' : ' ';
      return `${mark} CPU ${cpu.index}: pc ${hex(linearPc(cpu), 16)}, ${describeMode(cpu)}, CR3 ${hex(cpu.cr3)}, ${cpu.retired} instructions retired`;
    })
    .join('\n');
}
