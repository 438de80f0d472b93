import { parseAddress } from './address.ts';
import { failure, hex, text, type MonitorCommand } from './command.ts';

export const gpa2hpaCommand: MonitorCommand = {
  name: 'gpa2hpa',
  doc: { command: 'gpa2hpa ADDR', purpose: 'a guest-physical address through the EPT of the running guest' },
  run: ({ cpu }, args) => {
    const address = parseAddress(cpu, args.join(''));
    if (address === undefined) return failure('usage: gpa2hpa ADDRESS');
    if (address >= 1n << 52n) return failure(`${hex(address)} is not a physical address (52 bits)`);
    if (!cpu.guest?.nested) return text(`${hex(address)}: physical ${hex(address)} (CPU ${cpu.index} is not in a guest with EPT)`);
    const physical = cpu.guest.peek(cpu, Number(address));
    return text(`${hex(address)}: ${physical === undefined ? 'not mapped by the EPT' : `physical ${hex(physical)}`}`);
  },
};
