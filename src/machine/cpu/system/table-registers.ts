import { CR4, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { gp, np, ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { probeWrite, readLinear, writeLinear } from '../mmu/access.ts';
import { errorSelector, fetchDescriptor, isNull, isPresent, isSystem, setBusy, SystemType, typeOf, widenSystem } from './descriptors.ts';
import { advance, mask, operandAddress, readRm } from './operands.ts';
import { storeSelector } from './segment-moves.ts';
import { setNull } from './segments.ts';

interface TableRegister {
  readonly base: number;
  readonly limit: number;
}
const GDTR: TableRegister = { base: L.GDTR_BASE, limit: L.GDTR_LIMIT };
const IDTR: TableRegister = { base: L.IDTR_BASE, limit: L.IDTR_LIMIT };

export function checkPrivileged(cpu: Cpu): void {
  if (!cpu.realMode && cpu.cpl !== 0) throw gp();
}

/** CR4.UMIP hides descriptor-table registers from user mode: SDM Vol. 3, 2.5. */
export function checkUmip(cpu: Cpu): void {
  if ((cpu.cr4bits & CR4.UMIP) !== 0 && cpu.cpl > 0) throw gp();
}

/** LDT, TSS and the like exist in protected mode only. */
export function checkProtected(cpu: Cpu): void {
  if (cpu.realMode || cpu.v8086) throw ud();
}

/** LGDT and LIDT: SDM Vol. 2. A 16-bit operand size gives a 24-bit base. */
function loadTable(cpu: Cpu, insn: Insn, register: TableRegister): void {
  if (!insn.isMemory) throw ud();
  checkPrivileged(cpu);
  const size = cpu.code64 ? 8 : 4;
  const at = operandAddress(cpu, insn, 2 + size, false);
  const limit = Number(readLinear(cpu, at, 2));
  let base = readLinear(cpu, advance(cpu, at, 2), size);
  if (cpu.code64 && !cpu.canonicalBase(base)) throw gp();
  if (!cpu.code64 && insn.opsize === 16) base &= 0xff_ffffn;
  cpu.setU64(register.base, base);
  cpu.setU32(register.limit, limit);
}

/** SGDT and SIDT: SDM Vol. 2. All 32 bits of the base are stored whatever the operand size. */
function storeTable(cpu: Cpu, insn: Insn, register: TableRegister): void {
  if (!insn.isMemory) throw ud();
  checkUmip(cpu);
  const size = cpu.code64 ? 8 : 4;
  const at = operandAddress(cpu, insn, 2 + size, true);
  probeWrite(cpu, at, 2 + size);
  writeLinear(cpu, at, 2, BigInt(cpu.u32(register.limit) & 0xffff));
  writeLinear(cpu, advance(cpu, at, 2), size, mask(cpu.u64(register.base), size * 8));
}

function lldt(cpu: Cpu, insn: Insn): void {
  checkProtected(cpu);
  checkPrivileged(cpu);
  const selector = Number(readRm(cpu, insn, 16));
  if (isNull(selector)) {
    setNull(cpu, L.LDTR, selector);
    return;
  }
  const error = errorSelector(selector);
  if ((selector & 4) !== 0) throw gp(error);
  const narrow = fetchDescriptor(cpu, selector, gp);
  if (!isSystem(narrow) || typeOf(narrow) !== SystemType.ldt) throw gp(error);
  const ldt = widenSystem(cpu, narrow, gp);
  if (!isPresent(ldt)) throw np(error);
  cpu.segments[L.LDTR]!.load(selector, ldt.base, ldt.limit, ldt.attr);
}

function ltr(cpu: Cpu, insn: Insn): void {
  checkProtected(cpu);
  checkPrivileged(cpu);
  const selector = Number(readRm(cpu, insn, 16));
  if (isNull(selector)) throw gp();
  const error = errorSelector(selector);
  if ((selector & 4) !== 0) throw gp(error);
  const narrow = fetchDescriptor(cpu, selector, gp);
  const available = typeOf(narrow) === SystemType.tss || (!cpu.longMode && typeOf(narrow) === SystemType.tss16);
  if (!isSystem(narrow) || !available) throw gp(error);
  const tss = widenSystem(cpu, narrow, gp);
  if (!isPresent(tss)) throw np(error);
  setBusy(cpu, tss.address, true);
  cpu.segments[L.TR]!.load(selector, tss.base, tss.limit, tss.attr | 2);
}

/** SLDT and STR. */
function storeSystemSelector(cpu: Cpu, insn: Insn, segment: number): void {
  checkProtected(cpu);
  checkUmip(cpu);
  storeSelector(cpu, insn, cpu.segments[segment]!.selector);
}

export const tableRegisterInstructions: HelperTable = {
  lgdt: (cpu, insn) => loadTable(cpu, insn, GDTR),
  lidt: (cpu, insn) => loadTable(cpu, insn, IDTR),
  sgdt: (cpu, insn) => storeTable(cpu, insn, GDTR),
  sidt: (cpu, insn) => storeTable(cpu, insn, IDTR),
  lldt,
  ltr,
  sldt: (cpu, insn) => storeSystemSelector(cpu, insn, L.LDTR),
  str: (cpu, insn) => storeSystemSelector(cpu, insn, L.TR),
};
