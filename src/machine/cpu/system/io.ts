import { notePortAccess } from '../breakpoint-registers.ts';
import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import { Flag } from '../cpu.ts';
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, readLinear32, writeLinear } from '../mmu/access.ts';
import { isWideTss } from './inner-stack.ts';
import { linearOf, mask } from './operands.ts';
import { iopl } from './rflags.ts';

export type PortSize = 1 | 2 | 4;

/** Throws #GP(0) unless IOPL or the TSS's I/O permission bitmap allows the access: SDM Vol. 1, 19.5. */
export function checkIoPermission(cpu: Cpu, port: number, size: PortSize): void {
  if (cpu.realMode || (cpu.cpl <= iopl(cpu) && !cpu.v8086)) return;
  const tr = cpu.segments[L.TR]!;
  if (!isWideTss(tr.type) || tr.unusable || tr.limit < 103) throw gp();
  const bits = cpu.longMode ? 64 : 32;
  const bitmap = readLinear32(cpu, mask(tr.base + 102n, bits), 2, true);
  // Two bytes are always read, so the limit must cover one byte past the port's own.
  const at = bitmap + (port >> 3);
  if (at + 1 > tr.limit) throw gp();
  const denied = readLinear32(cpu, mask(tr.base + BigInt(at), bits), 2, true) >> (port & 7);
  if ((denied & ((1 << size) - 1)) !== 0) throw gp();
}

export const portSize = (insn: Insn): PortSize => (insn.opsize === 8 ? 1 : insn.opsize === 16 ? 2 : 4);

function portRead(cpu: Cpu, port: number, size: PortSize): number {
  const value = cpu.machine.ports.read(port, size);
  notePortAccess(cpu, port, size);
  cpu.machine.probe?.port?.(cpu, port, size, value, false);
  return value;
}

function portWrite(cpu: Cpu, port: number, size: PortSize, value: number): void {
  notePortAccess(cpu, port, size);
  cpu.machine.probe?.port?.(cpu, port, size, value, true);
  cpu.machine.ports.write(port, size, value);
}

function input(cpu: Cpu, port: number, size: PortSize): void {
  checkIoPermission(cpu, port, size);
  const value = portRead(cpu, port, size);
  if (size === 4) cpu.setGpr32(0, value);
  else if (size === 2) cpu.setGpr16(0, value);
  else cpu.setGpr8(0, 1, value);
}

function output(cpu: Cpu, port: number, size: PortSize): void {
  checkIoPermission(cpu, port, size);
  const eax = cpu.gpr32(0);
  portWrite(cpu, port, size, size === 4 ? eax : eax & ((1 << (size * 8)) - 1));
}

const RCX = 1;
const RSI = 6;
const RDI = 7;

/**
 * One iteration of INS or OUTS. With a repeat prefix RIP stays at the instruction while iterations remain: the core counts each as an
 * instruction and takes interrupts between them.
 */
function stringIo(cpu: Cpu, insn: Insn, index: number, transfer: (linear: (write: boolean) => bigint, port: number, size: PortSize) => void): void {
  const repeated = insn.rep !== 0;
  const count = cpu.readGpr(RCX, insn.addrsize);
  if (repeated && count === 0n) return;
  const size = portSize(insn);
  const port = cpu.gpr16(2);
  checkIoPermission(cpu, port, size);
  const offset = cpu.readGpr(index, insn.addrsize);
  const segment = index === RDI ? L.ES : insn.segmentOverride ? insn.segment : L.DS;
  transfer((write) => linearOf(cpu, segment, offset, size, write), port, size);
  const step = BigInt((cpu.sysflags & Flag.DF) !== 0 ? -size : size);
  cpu.writeGpr(index, insn.addrsize, mask(offset + step, insn.addrsize));
  if (!repeated) return;
  cpu.writeGpr(RCX, insn.addrsize, count - 1n);
  if (count !== 1n) cpu.nextRip = cpu.rip;
}

function ins(cpu: Cpu, insn: Insn): void {
  stringIo(cpu, insn, RDI, (linear, port, size) => {
    const at = linear(true);
    // Reading a port has effects: the destination must be known to be writable first.
    probeWrite(cpu, at, size);
    writeLinear(cpu, at, size, BigInt(portRead(cpu, port, size)));
  });
}

function outs(cpu: Cpu, insn: Insn): void {
  stringIo(cpu, insn, RSI, (linear, port, size) => portWrite(cpu, port, size, Number(readLinear(cpu, linear(false), size))));
}

/** The low half of the immediate is the byte itself. */
const immediatePort = (insn: Insn): number => Number(insn.imm) & 0xff;

export const ioInstructions: HelperTable = {
  in_imm: (cpu, insn) => input(cpu, immediatePort(insn), portSize(insn)),
  in_dx: (cpu, insn) => input(cpu, cpu.gpr16(2), portSize(insn)),
  out_imm: (cpu, insn) => output(cpu, immediatePort(insn), portSize(insn)),
  out_dx: (cpu, insn) => output(cpu, cpu.gpr16(2), portSize(insn)),
  ins,
  outs,
};
