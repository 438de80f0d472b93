import { internal, TRANSFERRED, type Service } from '../call/service.ts';
import { printLine } from '../console/output.ts';

/** Exceptions that nothing handles: UEFI firmware shows the registers and stops. */

const names = [
  'divide error', 'debug', 'NMI', 'breakpoint', 'overflow', 'bound range', 'invalid opcode', 'device not available', 'double fault', 'coprocessor overrun', 'invalid TSS',
  'segment not present', 'stack fault', 'general protection', 'page fault', 'reserved', 'x87 error', 'alignment check', 'machine check', 'SIMD exception',
  'virtualization exception', 'control protection',
]; // prettier-ignore
/** Vectors that push an error code: SDM Vol. 3, table 6-1. */
const withCode = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
const registers = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8 ', 'R9 ', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];

const hex = (v: bigint, digits = 16): string => v.toString(16).toUpperCase().padStart(digits, '0');

/** The gate of an exception points at this trap; the interrupt frame is at RSP. */
export function exceptionTrap(vector: number): Service {
  return internal(`Exception.${vector}`, (call) => {
    const { fw, cpu } = call;
    const code = withCode.has(vector);
    const frame = Array.from({ length: 5 }, (_, n) => call.u64(call.stack + BigInt((n + (code ? 1 : 0)) * 8)));
    const [rip, cs, rflags, rsp, ss] = frame as [bigint, bigint, bigint, bigint, bigint];
    const values = registers.map((_, n) => (n === 4 ? rsp : cpu.gpr(n)));
    const image = fw.state.images.find((i) => rip >= BigInt(i.base) && rip < BigInt(i.base + i.size));
    const lines = [
      `!!!! X64 exception ${hex(BigInt(vector), 2)} (${names[vector] ?? 'reserved'})${code ? `, error code ${hex(call.u64(call.stack))}` : ''}, CPU ${cpu.index} !!!!`,
      `RIP ${hex(rip)}  CS ${hex(cs, 4)}  RFLAGS ${hex(rflags)}  SS ${hex(ss, 4)}`,
      ...[0, 4, 8, 12].map((n) => [0, 1, 2, 3].map((k) => `${registers[n + k]} ${hex(values[n + k]!)}`).join('  ')),
      `CR0 ${hex(cpu.cr0)}  CR2 ${hex(cpu.cr2)}  CR3 ${hex(cpu.cr3)}  CR4 ${hex(cpu.cr4)}`,
      ...(image ? [`in ${image.name}, loaded at ${hex(BigInt(image.base))}, offset ${hex(rip - BigInt(image.base), 8)}`] : []),
      'The processor stops here.',
    ];
    printLine(fw);
    for (const line of lines) printLine(fw, line);
    fw.machine.log(
      `UEFI: CPU ${cpu.index} stopped at an exception nobody handles: vector ${vector} (${names[vector] ?? 'reserved'}) at 0x${rip.toString(16)}`,
    );
    cpu.rip = BigInt(fw.stub('halt'));
    return TRANSFERRED;
  });
}
