import { vmxInstructions } from '../../machine/vmx/instructions.ts';
import { failure, text, type MonitorCommand } from './command.ts';
import { didYouMean } from '../../text/suggest.ts';

const usage = 'break vmlaunch (or another VMX instruction, or several, or all), break off';

/** Stops on executing an instruction anywhere, whatever program it belongs to: an address breakpoint needs to know where. */
export const breakCommand: MonitorCommand = {
  name: 'break',
  doc: { command: 'break vmlaunch|MNEMONIC...|all|off', purpose: 'stop on executing a VMX instruction anywhere; without an argument: what is set' },
  run: (context, args) => {
    const names = Object.keys(vmxInstructions).sort();
    if (args.length === 0) return text(context.vmxStops.size === 0 ? `none; ${usage}` : [...context.vmxStops].join(' '));
    const wanted = new Set(args.map((a) => a.toLowerCase()));
    const off = wanted.has('off');
    if (off && wanted.size > 1) return failure(`usage: ${usage}`);
    for (const name of wanted) {
      if (name === 'off' || name === 'all' || names.includes(name)) continue;
      return failure(`${name} is not a VMX instruction of this machine${didYouMean(name, [...names, 'off', 'all'])} Known: ${names.join(' ')}`);
    }
    if (off) context.vmxStops.clear();
    else for (const name of wanted.has('all') ? names : wanted) context.vmxStops.add(name);
    context.machine.stopOnVmxInstructions(context.vmxStops);
    return text(off ? 'no longer stopping on VMX instructions' : `stopping on ${[...context.vmxStops].join(' ')}`);
  },
};
