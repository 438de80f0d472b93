import { infoCpus } from './info/cpus.ts';
import { infoMem } from './info/mem.ts';
import { infoRegisters } from './info/registers.ts';
import { infoTlb } from './info/tlb.ts';
import { failure, text, type MonitorCommand, type MonitorContext } from './command.ts';
import { didYouMean } from '../../text/suggest.ts';

/** Topics that need only a CPU and memory. The others come from the machine's parts, through `MonitorContext.topics`. */
const builtIn: Readonly<Record<string, (context: MonitorContext) => string>> = {
  cpus: infoCpus,
  mem: infoMem,
  registers: infoRegisters,
  tlb: infoTlb,
};

export const infoCommand: MonitorCommand = {
  name: 'info',
  doc: { command: 'info TOPIC', purpose: 'registers, mem (mapped ranges), tlb, cpus, and what the machine has: lapic, vmcs, efi, devices' },
  run: (context, [topic, ...rest]) => {
    const names = [...new Set([...Object.keys(builtIn), ...Object.keys(context.topics)])].sort();
    if (topic === undefined) return text(`info ${names.join('|')}`);
    const own = Object.hasOwn(builtIn, topic) ? builtIn[topic] : undefined;
    const provided = Object.hasOwn(context.topics, topic) ? context.topics[topic] : undefined;
    if (rest.length > 0 && (provided?.length ?? 0) < 2) return failure(`info ${topic} takes no argument`);
    if (own) return text(own(context));
    if (provided) return text(provided(context.cpu, rest));
    return failure(`info knows no topic "${topic}"${didYouMean(topic, names)} Topics: ${names.join(' ')}`);
  },
};
