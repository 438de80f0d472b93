import type { MonitorCommand } from './command.ts';

export const quitCommand: MonitorCommand = {
  name: 'quit',
  doc: { command: 'quit', purpose: 'end vmxscope' },
  run: () => ({ text: '', quit: true }),
};
