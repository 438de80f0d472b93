import { text, type MonitorCommand, type MonitorDoc } from './command.ts';

/** @param docs of all commands, asked for when the command runs */
export const helpCommand = (docs: () => readonly MonitorDoc[]): MonitorCommand => ({
  name: 'help',
  doc: { command: 'help', purpose: 'this list' },
  run: () => {
    const rows = docs();
    const width = Math.max(...rows.map((r) => r.command.length));
    return text(...rows.map((r) => `${r.command.padEnd(width)}  ${r.purpose}`));
  },
});
