import { text, type MonitorCommand } from './command.ts';

export const systemResetCommand: MonitorCommand = {
  name: 'system_reset',
  doc: { command: 'system_reset', purpose: 'reset the machine; breakpoints stay' },
  run: ({ machine }) => {
    machine.reset();
    return text('The machine is reset. gdb still shows the registers of before: say "maintenance flush register-cache", or just continue.');
  },
};
