import type { Cpu } from '../../cpu/cpu.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { DS, ES } from '../../cpu/layout.ts';
import { checkIoPermission, portSize } from '../../cpu/system/io.ts';
import { Primary } from '../controls.ts';
import { F } from '../fields.ts';
import { ExitReason } from '../reasons.ts';
import type { Vmcs } from '../vmcs.ts';
import { stringIoInfo, uncheckedLinear } from './info.ts';
import { exitAt, exitBy, primaryOn, type InterceptTable } from './intercept.ts';

/** I/O instructions in non-root operation: SDM Vol. 3, 26.1.3 and 25.6.4. Qualification: table 28-5. */
const IN = 1 << 3;
const STRING = 1 << 4;
const REPEATED = 1 << 5;
const IMMEDIATE = 1 << 6;

/** True when an access to `size` ports exits. Accesses that wrap around port FFFFH always do, when bitmaps are used. */
function exits(cpu: Cpu, vmcs: Vmcs, port: number, size: number): boolean {
  if (!primaryOn(vmcs, Primary.useIoBitmaps)) return primaryOn(vmcs, Primary.unconditionalIoExiting);
  if (port + size > 0x1_0000) return true;
  for (let p = port; p < port + size; p++) {
    const bitmap = Number(vmcs.big(p < 0x8000 ? F.ioBitmapA : F.ioBitmapB));
    if ((cpu.machine.memory.read(bitmap + ((p & 0x7fff) >> 3), 1) >> (p & 7)) & 1) return true;
  }
  return false;
}

function plain(cpu: Cpu, insn: Insn, vmcs: Vmcs, port: number, flags: number): boolean {
  const size = portSize(insn);
  // The permission bitmap of the TSS has priority (26.1.1).
  checkIoPermission(cpu, port, size);
  if (!exits(cpu, vmcs, port, size)) return false;
  return exitBy(cpu, insn, ExitReason.io, BigInt((size - 1) | flags) | (BigInt(port) << 16n));
}

/** INS and OUTS: an exit comes before faults of the memory operand; it reports each iteration. */
function string(cpu: Cpu, insn: Insn, vmcs: Vmcs, index: number, flags: number): boolean {
  if (insn.rep !== 0 && cpu.readGpr(1, insn.addrsize) === 0n) return false;
  const size = portSize(insn);
  const port = cpu.gpr16(2);
  checkIoPermission(cpu, port, size);
  if (!exits(cpu, vmcs, port, size)) return false;
  const isIn = (flags & IN) !== 0;
  const segment = isIn ? ES : insn.segmentOverride ? insn.segment : DS;
  exitAt(cpu, insn, ExitReason.io, {
    qualification: BigInt((size - 1) | flags | STRING | (insn.rep !== 0 ? REPEATED : 0)) | (BigInt(port) << 16n),
    linear: uncheckedLinear(cpu, segment, cpu.readGpr(index, insn.addrsize)),
    instructionInfo: stringIoInfo(insn, isIn ? 0 : segment),
  });
}

const immediate = (insn: Insn): number => Number(insn.imm & 0xffn);

export const ioIntercepts: InterceptTable = {
  in_imm: (cpu, insn, vmcs) => plain(cpu, insn, vmcs, immediate(insn), IN | IMMEDIATE),
  in_dx: (cpu, insn, vmcs) => plain(cpu, insn, vmcs, cpu.gpr16(2), IN),
  out_imm: (cpu, insn, vmcs) => plain(cpu, insn, vmcs, immediate(insn), IMMEDIATE),
  out_dx: (cpu, insn, vmcs) => plain(cpu, insn, vmcs, cpu.gpr16(2), 0),
  ins: (cpu, insn, vmcs) => string(cpu, insn, vmcs, 7, IN),
  outs: (cpu, insn, vmcs) => string(cpu, insn, vmcs, 6, 0),
};
