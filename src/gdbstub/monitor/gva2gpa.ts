import { describeWalk } from '../../machine/cpu/mmu/describe.ts';
import { parseAddress } from './address.ts';
import { failure, text, type MonitorCommand } from './command.ts';

export const gva2gpaCommand: MonitorCommand = {
  name: 'gva2gpa',
  doc: { command: 'gva2gpa ADDR', purpose: "a linear address through the CPU's page tables, entry by entry" },
  run: ({ cpu }, args) => {
    const address = parseAddress(cpu, args.join(''));
    return address === undefined ? failure('usage: gva2gpa ADDRESS') : text(...describeWalk(cpu, address));
  },
};
