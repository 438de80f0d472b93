import { memoryPart } from '../machine/memory-part.ts';
import type { MonitorCommand } from './command.ts';
import { dump } from './dump.ts';

const usage = 'x [/FMT] ADDRESS, such as x /8i $pc';

export const xCommand: MonitorCommand = {
  name: 'x',
  doc: {
    command: 'x /FMT ADDR',
    purpose: "memory at a linear address; `/8i` disassembles by the CPU's code size (16-bit code, which gdb shows wrongly)",
  },
  run: (context, args) => {
    const memory = memoryPart(() => context.cpu, context.machine.memory, () => false); // prettier-ignore
    return dump(context, args, usage, (address, length) => memory.read(1, address, length));
  },
};
