import { failureText, lastFailure } from '../../machine/vmx/failure.ts';
import { failure, text, type MonitorCommand } from './command.ts';
import { describeExits } from './vmx-exits.ts';

const usage = 'vmx last-failure, or vmx stop-on-failure on|off, or vmx exits [clear]';

export const vmxCommand: MonitorCommand = {
  name: 'vmx',
  doc: {
    command: 'vmx last-failure | stop-on-failure on|off | exits [clear]',
    purpose: 'which rule the last failure broke, whether to stop on one; how many VM exits there were, by reason and by guest code',
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
    if (what === 'exits' && context.vmx && (value === undefined || value === 'clear')) {
      if (value === 'clear') context.vmx.clear();
      return text(...(value === 'clear' ? ['counting from 0'] : describeExits(context.vmx, context.nameOf)));
    }
    return failure(`usage: ${usage}`);
  },
};
