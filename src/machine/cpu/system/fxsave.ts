import { CR0, CR4, type Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import { gp, nm, ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { readBytes, writeBytes } from '../mmu/access.ts';
import { checkX87 } from '../x87/unit.ts';
import {
  LEGACY_SIZE,
  loadVectors,
  loadX87,
  MXCSR_MASK,
  mxcsrIn,
  storeMxcsr,
  storeVectors,
  storeX87,
  vectorCount,
  XMM_AT,
} from '../xsave/legacy-region.ts';
import { operandAddress, readMemory, writeMemory } from './operands.ts';

const rexW = (insn: Insn): boolean => (insn.rex & 8) !== 0;

function areaAddress(cpu: Cpu, insn: Insn, write: boolean): bigint {
  checkX87(cpu);
  const at = operandAddress(cpu, insn, LEGACY_SIZE, write);
  if ((at & 15n) !== 0n) throw gp();
  return at;
}

/** FXSAVE: SDM Vol. 2. Without CR4.OSFXSR the SSE part is left alone. */
function fxsave(cpu: Cpu, insn: Insn): void {
  const at = areaAddress(cpu, insn, true);
  const sse = (cpu.cr4bits & CR4.OSFXSR) !== 0;
  // Bytes past the last XMM register are the software's: they are not written.
  const image = new Uint8Array(XMM_AT + (sse ? vectorCount(cpu) * 16 : 0));
  const view = new DataView(image.buffer);
  storeX87(cpu, view, rexW(insn));
  if (sse) {
    storeMxcsr(cpu, view);
    storeVectors(cpu, view, XMM_AT, 0);
  }
  writeBytes(cpu, at, image);
}

/** FXRSTOR: SDM Vol. 2; reserved MXCSR bits give #GP(0). */
function fxrstor(cpu: Cpu, insn: Insn): void {
  const at = areaAddress(cpu, insn, false);
  const image = readBytes(cpu, at, LEGACY_SIZE);
  const view = new DataView(image.buffer, image.byteOffset);
  const sse = (cpu.cr4bits & CR4.OSFXSR) !== 0;
  const mxcsr = mxcsrIn(view);
  if (sse && (mxcsr & ~MXCSR_MASK) !== 0) throw gp();
  loadX87(cpu, view, rexW(insn));
  if (!sse) return;
  cpu.setU32(L.MXCSR, mxcsr);
  loadVectors(cpu, view, XMM_AT, 0);
}

/** SSE needs CR0.EM clear and CR4.OSFXSR set: SDM Vol. 3, 13.1.3. */
export function checkSse(cpu: Cpu): void {
  if ((cpu.cr0bits & CR0.EM) !== 0 || (cpu.cr4bits & CR4.OSFXSR) === 0) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
}

/** VEX instructions on vectors: SDM Vol. 1, 14.3; Vol. 2, table 2-17. They do not exist in real and virtual-8086 mode. */
export function checkAvx(cpu: Cpu): void {
  const enabled = (cpu.cr4bits & CR4.OSXSAVE) !== 0 && (cpu.u32(L.XCR0) & 6) === 6;
  if (!enabled || cpu.realMode || cpu.v8086) throw ud();
  if ((cpu.cr0bits & CR0.TS) !== 0) throw nm();
}

const ldmxcsr =
  (check: (cpu: Cpu) => void): Helper =>
  (cpu, insn) => {
    check(cpu);
    const value = Number(readMemory(cpu, insn, 32));
    if ((value & ~MXCSR_MASK) !== 0) throw gp();
    cpu.setU32(L.MXCSR, value);
  };

const stmxcsr =
  (check: (cpu: Cpu) => void): Helper =>
  (cpu, insn) => {
    check(cpu);
    writeMemory(cpu, insn, 32, BigInt(cpu.u32(L.MXCSR)));
  };

export const fxsaveInstructions: HelperTable = {
  fxsave,
  fxrstor,
  ldmxcsr: ldmxcsr(checkSse),
  stmxcsr: stmxcsr(checkSse),
  vldmxcsr: ldmxcsr(checkAvx),
  vstmxcsr: stmxcsr(checkAvx),
};
