import { CR0, CR4, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { gp, nm, ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { readBytes, writeBytes } from '../mmu/access.ts';
import { setX87Selectors } from '../x87/pointers.ts';
import { abridgedTags, fpr, physical, setAbridgedTags, setControl, setFpr, setStatus } from '../x87/state.ts';
import { checkX87 } from '../x87/unit.ts';
import { operandAddress, readMemory, writeMemory } from './operands.ts';

/** Bits of MXCSR that may be set: DAZ is offered, so all 16: SDM Vol. 1, 11.6.6. */
export const MXCSR_MASK = 0xffff;
const AREA = 512;

/** Offsets in the FXSAVE area: SDM Vol. 1, 10.5.1. */
const FIELD = { fcw: 0, fsw: 2, ftw: 4, fop: 6, fip: 8, fcs: 12, fdp: 16, fds: 20, mxcsr: 24, mxcsrMask: 28, registers: 32, xmm: 160 } as const;

const rexW = (insn: Insn): boolean => (insn.rex & 8) !== 0;
const xmmCount = (cpu: Cpu): number => (cpu.code64 ? 16 : 8);

function areaAddress(cpu: Cpu, insn: Insn, write: boolean): bigint {
  checkX87(cpu);
  const at = operandAddress(cpu, insn, AREA, write);
  if ((at & 15n) !== 0n) throw gp();
  return at;
}

/** FXSAVE: SDM Vol. 2. Without CR4.OSFXSR the SSE part is left alone. */
function fxsave(cpu: Cpu, insn: Insn): void {
  const at = areaAddress(cpu, insn, true);
  const sse = (cpu.cr4bits & CR4.OSFXSR) !== 0;
  const count = sse ? xmmCount(cpu) : 0;
  // Bytes past the last XMM register are the software's: they are not written.
  const image = new Uint8Array(FIELD.xmm + count * 16);
  const view = new DataView(image.buffer);
  view.setUint16(FIELD.fcw, cpu.u32(L.FCW), true);
  view.setUint16(FIELD.fsw, cpu.u32(L.FSW), true);
  view.setUint8(FIELD.ftw, abridgedTags(cpu));
  view.setUint16(FIELD.fop, cpu.u32(L.FOP) & 0x7ff, true);
  view.setBigUint64(FIELD.fip, cpu.u64(L.FIP), true);
  view.setBigUint64(FIELD.fdp, cpu.u64(L.FDP), true);
  if (!rexW(insn)) {
    view.setUint32(FIELD.fcs, cpu.u32(L.FCS) & 0xffff, true);
    view.setUint32(FIELD.fds, cpu.u32(L.FDS) & 0xffff, true);
  }
  view.setUint32(FIELD.mxcsr, sse ? cpu.u32(L.MXCSR) : 0, true);
  view.setUint32(FIELD.mxcsrMask, sse ? MXCSR_MASK : 0, true);
  for (let i = 0; i < 8; i++) {
    const { low, high } = fpr(cpu, physical(cpu, i));
    view.setBigUint64(FIELD.registers + i * 16, low, true);
    view.setUint16(FIELD.registers + i * 16 + 8, high, true);
  }
  for (let n = 0; n < count; n++) {
    const from = cpu.block + L.VECTORS + n * L.VECTOR_SIZE;
    image.set(cpu.m.u8.subarray(from, from + 16), FIELD.xmm + n * 16);
  }
  writeBytes(cpu, at, image);
}

/** FXRSTOR: SDM Vol. 2; reserved MXCSR bits give #GP(0). */
function fxrstor(cpu: Cpu, insn: Insn): void {
  const at = areaAddress(cpu, insn, false);
  const image = readBytes(cpu, at, AREA);
  const view = new DataView(image.buffer, image.byteOffset);
  const sse = (cpu.cr4bits & CR4.OSFXSR) !== 0;
  const mxcsr = view.getUint32(FIELD.mxcsr, true);
  if (sse && (mxcsr & ~MXCSR_MASK) !== 0) throw gp();
  setControl(cpu, view.getUint16(FIELD.fcw, true));
  setStatus(cpu, view.getUint16(FIELD.fsw, true));
  cpu.setU32(L.FOP, view.getUint16(FIELD.fop, true) & 0x7ff);
  const wide = rexW(insn);
  cpu.setU64(L.FIP, wide ? view.getBigUint64(FIELD.fip, true) : BigInt(view.getUint32(FIELD.fip, true)));
  cpu.setU64(L.FDP, wide ? view.getBigUint64(FIELD.fdp, true) : BigInt(view.getUint32(FIELD.fdp, true)));
  setX87Selectors(cpu, wide ? 0 : view.getUint16(FIELD.fcs, true), wide ? 0 : view.getUint16(FIELD.fds, true));
  for (let i = 0; i < 8; i++) {
    const from = FIELD.registers + i * 16;
    setFpr(cpu, physical(cpu, i), view.getBigUint64(from, true), view.getUint16(from + 8, true));
  }
  setAbridgedTags(cpu, view.getUint8(FIELD.ftw));
  if (!sse) return;
  cpu.setU32(L.MXCSR, mxcsr);
  for (let n = 0; n < xmmCount(cpu); n++) {
    cpu.m.u8.set(image.subarray(FIELD.xmm + n * 16, FIELD.xmm + n * 16 + 16), cpu.block + L.VECTORS + n * L.VECTOR_SIZE);
  }
}

/** SSE needs CR0.EM clear and CR4.OSFXSR set: SDM Vol. 3, 13.1.3. */
export function checkSse(cpu: Cpu): void {
  if ((cpu.cr0bits & CR0.EM) !== 0 || (cpu.cr4bits & CR4.OSFXSR) === 0) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
}

function ldmxcsr(cpu: Cpu, insn: Insn): void {
  checkSse(cpu);
  const value = Number(readMemory(cpu, insn, 32));
  if ((value & ~MXCSR_MASK) !== 0) throw gp();
  cpu.setU32(L.MXCSR, value);
}

function stmxcsr(cpu: Cpu, insn: Insn): void {
  checkSse(cpu);
  writeMemory(cpu, insn, 32, BigInt(cpu.u32(L.MXCSR)));
}

export const fxsaveInstructions: HelperTable = { fxsave, fxrstor, ldmxcsr, stmxcsr };
