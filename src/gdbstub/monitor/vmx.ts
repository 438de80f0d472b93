import { failureText, lastFailure } from '../../machine/vmx/failure.ts';
import { failure, text, type MonitorCommand } from './command.ts';

const usage = 'vmx last-failure, or vmx stop-on-failure on|off';

export const vmxCommand: MonitorCommand = {
  name: 'vmx',
  doc: {
    command: 'vmx last-failure | stop-on-failure on|off',
    purpose: 'which check the last failed VMX instruction or VM entry broke, and whether to stop on one',
  },
  run: (context, [what, value]) => {
    if (what === 'last-failure' && value === undefined) {
      const lines = context.machine.cpus.map((cpu) => lastFailure(cpu)).flatMap((f) => (f ? [failureText(f)] : []));
      return text(...(lines.length > 0 ? lines : ['no VMX instruction and no VM entry has failed']));
    }
    if (what === 'stop-on-failure' && (value === 'on' || value === 'off')) {
      context.machine.stopOnVmxFailure(value === 'on');
      return text(`stop on VMX failure: ${value}`);
    }
    return failure(`usage: ${usage}`);
  },
};
