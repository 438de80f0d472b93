import { Flag, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { ud } from '../fault.ts';
import { setArithmeticFlags } from '../flags.ts';
import type { Insn } from '../isa/insn.ts';
import {
  dplOf,
  findDescriptor,
  isConforming,
  isNull,
  isReadable,
  isSystem,
  isWritableData,
  rpl,
  SystemType,
  typeOf,
  upperHalf,
  type Descriptor,
} from './descriptors.ts';
import { mask, readRm, writeRm } from './operands.ts';
import { checkProtected } from './table-registers.ts';

/** System descriptors that LAR and LSL know, outside and inside IA-32e mode: SDM Vol. 2, tables 3-53 and 3-56. */
const T = SystemType;
const LAR_TYPES: ReadonlySet<number> = new Set([T.tss16, T.ldt, T.tss16Busy, T.callGate16, T.taskGate, T.tss, T.tssBusy, T.callGate]);
const LAR_TYPES_LONG: ReadonlySet<number> = new Set([T.ldt, T.tss, T.tssBusy, T.callGate]);
const LSL_TYPES: ReadonlySet<number> = new Set([T.tss16, T.ldt, T.tss16Busy, T.tss, T.tssBusy]);
const LSL_TYPES_LONG: ReadonlySet<number> = new Set([T.ldt, T.tss, T.tssBusy]);

function setZf(cpu: Cpu, on: boolean): void {
  setArithmeticFlags(cpu, on ? cpu.rflags | Flag.ZF : cpu.rflags & ~Flag.ZF);
}

/** The descriptor of a selector if CPL and RPL may see it: SDM Vol. 3, 5.10. */
function visible(cpu: Cpu, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const descriptor = findDescriptor(cpu, selector);
  if (!descriptor) return undefined;
  const hidden = !isConforming(descriptor) && (cpu.cpl > dplOf(descriptor) || rpl(selector) > dplOf(descriptor));
  return hidden ? undefined : descriptor;
}

function query(cpu: Cpu, insn: Insn, types: ReadonlySet<number>, value: (d: Descriptor) => number): void {
  checkProtected(cpu);
  const descriptor = visible(cpu, Number(readRm(cpu, insn, 16)));
  const known =
    descriptor !== undefined &&
    (!isSystem(descriptor) || (types.has(typeOf(descriptor)) && (!cpu.longMode || upperHalf(cpu, descriptor) !== undefined)));
  if (known) cpu.writeGpr(insn.reg, insn.opsize, mask(BigInt(value(descriptor)), insn.opsize));
  setZf(cpu, known);
}

const lar = (cpu: Cpu, insn: Insn): void =>
  query(cpu, insn, cpu.longMode ? LAR_TYPES_LONG : LAR_TYPES, (d) => (insn.opsize === 16 ? d.high & 0xff00 : d.high & 0xf0_ff00));

const lsl = (cpu: Cpu, insn: Insn): void => query(cpu, insn, cpu.longMode ? LSL_TYPES_LONG : LSL_TYPES, (d) => d.limit);

function verify(cpu: Cpu, insn: Insn, allowed: (d: Descriptor) => boolean): void {
  checkProtected(cpu);
  const descriptor = visible(cpu, Number(readRm(cpu, insn, 16)));
  setZf(cpu, descriptor !== undefined && allowed(descriptor));
}

/** SDM Vol. 2, ARPL: raises the RPL of the destination to that of the source. */
function arpl(cpu: Cpu, insn: Insn): void {
  checkProtected(cpu);
  if (cpu.code64) throw ud();
  const destination = Number(readRm(cpu, insn, 16));
  const source = cpu.gpr16(insn.reg);
  const raise = rpl(destination) < rpl(source);
  if (raise) writeRm(cpu, insn, 16, BigInt((destination & 0xfffc) | rpl(source)));
  setZf(cpu, raise);
}

export const selectorQueryInstructions: HelperTable = {
  lar,
  lsl,
  verr: (cpu, insn) => verify(cpu, insn, isReadable),
  verw: (cpu, insn) => verify(cpu, insn, isWritableData),
  arpl,
};
