import { monitorDocs } from './monitor/index.ts';
import { packetDocs } from './packets/index.ts';
import { registers } from './features/registers.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((r) => `| ${r.map(cell).join(' | ')} |`).join('\n');

/** The generated half of docs/gdb.md: packets, registers and monitor commands, from the tags beside the code. */
export function gdbTables(): string {
  const packets = table(['Packet', 'Purpose'], packetDocs.map((d) => [`\`${d.packet}\``, d.purpose])); // prettier-ignore
  const commands = table(['`monitor` command', 'Purpose'], monitorDocs.map((d) => [`\`${d.command}\``, d.purpose])); // prettier-ignore
  const regs = table(
    ['Number', 'Register', 'Bits', 'Feature'],
    registers.map((r, n) => [String(n), r.name, String(r.bits), `\`${r.feature}\``]),
  );
  return `## Packets\n\n${packets}\n\n## Registers\n\n${regs}\n\n## Monitor commands\n\n${commands}\n`;
}
