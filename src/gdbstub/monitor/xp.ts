import { memoryPart } from '../machine/memory-part.ts';
import type { MonitorCommand } from './command.ts';
import { dump } from './dump.ts';

const usage = 'xp [/FMT] ADDRESS, such as xp /8xg 0x1000';

export const xpCommand: MonitorCommand = {
  name: 'xp',
  doc: { command: 'xp /FMT ADDR', purpose: 'memory at a physical address; FMT as of gdb: count, x d u o c i, b h w g' },
  run: (context, args) => {
    const memory = memoryPart(() => context.cpu, context.machine.memory, () => true); // prettier-ignore
    return dump(context, args, usage, (address, length) => memory.read(1, address, length));
  },
};
