import { CR0, type Cpu } from '../cpu.ts';
import { nm, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, writeLinear } from '../mmu/access.ts';
import { advance, linearOf } from '../system/operands.ts';
import { Status } from './state.ts';
import { checkPendingX87 } from './unit.ts';

const RDI = 7;

/** MMX instructions are undefined when emulation is asked for, unlike x87 ones: SDM Vol. 3, 12.1. */
export function checkMmx(cpu: Cpu): void {
  if ((cpu.cr0bits & CR0.EM) !== 0) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
  checkPendingX87(cpu);
}

/** TOP is 0 after every MMX instruction, and all registers are empty (EMMS) or none is: SDM Vol. 3, table 12-2. */
function leaveTags(cpu: Cpu, tags: number): void {
  cpu.setU32(L.FSW, cpu.u32(L.FSW) & ~Status.TOP);
  cpu.setU32(L.FTW, tags);
}

function emms(cpu: Cpu): void {
  checkMmx(cpu);
  leaveTags(cpu, 0xffff);
}

/** MASKMOVQ: the bytes whose mask has its bit 7 set, to [rDI]: SDM Vol. 2. */
function maskmovq(cpu: Cpu, insn: Insn): void {
  checkMmx(cpu);
  const { u8 } = cpu.m;
  const [source, signs] = [insn.reg, insn.rm].map((n) => cpu.block + L.FPR + (n & 7) * 16) as [number, number];
  const start = linearOf(cpu, insn.segment, cpu.readGpr(RDI, insn.addrsize), 8, true);
  // Whether bytes that are not chosen can fault is the processor's own matter: here, as with MASKMOVDQU, they do.
  probeWrite(cpu, start, 8);
  for (let n = 0; n < 8; n++) if (u8[signs + n]! >= 0x80) writeLinear(cpu, advance(cpu, start, n), 1, BigInt(u8[source + n]!));
  leaveTags(cpu, 0);
}

export const mmxInstructions: HelperTable = { emms, maskmovq };
