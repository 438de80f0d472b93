/**
 * The first 512 bytes of FXSAVE and XSAVE areas: SDM Vol. 1, 10.5.1 and 13.4.1. Views begin at the area.
 */
import type { Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { setX87Selectors, x87Selectors } from '../x87/pointers.ts';
import { abridgedTags, fpr, physical, setAbridgedTags, setControl, setFpr, setStatus } from '../x87/state.ts';

export const LEGACY_SIZE = 512;
const FIELD = { fcw: 0, fsw: 2, ftw: 4, fop: 6, fip: 8, fcs: 12, fdp: 16, fds: 20, mxcsr: 24, mxcsrMask: 28, registers: 32, xmm: 160 } as const;
export const { mxcsr: MXCSR_AT, registers: REGISTERS_AT, xmm: XMM_AT } = FIELD;

/** Bits of MXCSR that may be set: DAZ is offered, so all 16: SDM Vol. 1, 11.6.6. */
export const MXCSR_MASK = 0xffff;
export const INITIAL_MXCSR = 0x1f80;

/** XMM and YMM registers that instructions can name. */
export const vectorCount = (cpu: Cpu): number => (cpu.code64 ? 16 : 8);

/** @param wide 64-bit instruction and data pointers without selectors (REX.W) */
export function storeX87(cpu: Cpu, view: DataView, wide: boolean): void {
  view.setUint16(FIELD.fcw, cpu.u32(L.FCW), true);
  view.setUint16(FIELD.fsw, cpu.u32(L.FSW), true);
  view.setUint16(FIELD.ftw, abridgedTags(cpu), true);
  view.setUint16(FIELD.fop, cpu.u32(L.FOP) & 0x7ff, true);
  view.setBigUint64(FIELD.fip, cpu.u64(L.FIP), true);
  view.setBigUint64(FIELD.fdp, cpu.u64(L.FDP), true);
  if (!wide) {
    const { fcs, fds } = x87Selectors(cpu);
    view.setUint32(FIELD.fcs, fcs, true);
    view.setUint32(FIELD.fds, fds, true);
  }
  for (let i = 0; i < 8; i++) {
    const { low, high } = fpr(cpu, physical(cpu, i));
    view.setBigUint64(FIELD.registers + i * 16, low, true);
    view.setBigUint64(FIELD.registers + i * 16 + 8, BigInt(high), true);
  }
}

export function loadX87(cpu: Cpu, view: DataView, wide: boolean): void {
  setControl(cpu, view.getUint16(FIELD.fcw, true));
  setStatus(cpu, view.getUint16(FIELD.fsw, true));
  cpu.setU32(L.FOP, view.getUint16(FIELD.fop, true) & 0x7ff);
  cpu.setU64(L.FIP, wide ? view.getBigUint64(FIELD.fip, true) : BigInt(view.getUint32(FIELD.fip, true)));
  cpu.setU64(L.FDP, wide ? view.getBigUint64(FIELD.fdp, true) : BigInt(view.getUint32(FIELD.fdp, true)));
  setX87Selectors(cpu, wide ? 0 : view.getUint16(FIELD.fcs, true), wide ? 0 : view.getUint16(FIELD.fds, true));
  for (let i = 0; i < 8; i++) {
    const from = FIELD.registers + i * 16;
    setFpr(cpu, physical(cpu, i), view.getBigUint64(from, true), view.getUint16(from + 8, true));
  }
  setAbridgedTags(cpu, view.getUint8(FIELD.ftw));
}

export function storeMxcsr(cpu: Cpu, view: DataView): void {
  view.setUint32(FIELD.mxcsr, cpu.u32(L.MXCSR), true);
  view.setUint32(FIELD.mxcsrMask, MXCSR_MASK, true);
}

export const mxcsrIn = (view: DataView): number => view.getUint32(FIELD.mxcsr, true);

const bytes = (view: DataView, at: number, length: number): Uint8Array => new Uint8Array(view.buffer, view.byteOffset + at, length);

/** The registers' low halves (`half` 0) or high ones (16), one after the other. */
export function storeVectors(cpu: Cpu, view: DataView, at: number, half: 0 | 16): void {
  for (let n = 0; n < vectorCount(cpu); n++) {
    const from = cpu.block + L.VECTORS + n * L.VECTOR_SIZE + half;
    bytes(view, at + n * 16, 16).set(cpu.m.u8.subarray(from, from + 16));
  }
}

export function loadVectors(cpu: Cpu, view: DataView, at: number, half: 0 | 16): void {
  for (let n = 0; n < vectorCount(cpu); n++) cpu.m.u8.set(bytes(view, at + n * 16, 16), cpu.block + L.VECTORS + n * L.VECTOR_SIZE + half);
}

export function clearVectors(cpu: Cpu, half: 0 | 16): void {
  for (let n = 0; n < vectorCount(cpu); n++) {
    const at = cpu.block + L.VECTORS + n * L.VECTOR_SIZE + half;
    cpu.m.u8.fill(0, at, at + 16);
  }
}

export function vectorsClear(cpu: Cpu, half: 0 | 16): boolean {
  for (let n = 0; n < vectorCount(cpu); n++) {
    const at = (cpu.block + L.VECTORS + n * L.VECTOR_SIZE + half) >> 3;
    if (cpu.m.u64[at] !== 0n || cpu.m.u64[at + 1] !== 0n) return false;
  }
  return true;
}
