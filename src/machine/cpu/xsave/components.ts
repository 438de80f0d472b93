/** State components: SDM Vol. 1, 13.1 and 13.5. One row each; CPUID leaf 0DH, XCR0 and the instructions derive from them. */
import type { Cpu } from '../cpu.ts';
import * as L from '../layout.ts';
import { msrSlot, MsrSlot } from '../msr/row.ts';
import type { CpuModel } from '../models/model.ts';
import { BOUND_REGISTERS, boundsInUse, configLegal, initBounds, setConfig } from '../mpx/state.ts';
import { writePkru } from '../protection-keys.ts';
import { fpr, initX87, setFpr } from '../x87/state.ts';
import {
  clearVectors,
  LEGACY_SIZE,
  loadVectors,
  loadX87,
  REGISTERS_AT,
  storeVectors,
  storeX87,
  vectorCount,
  vectorsClear,
  XMM_AT,
} from './legacy-region.ts';

export interface Component {
  /** Bit in XCR0 (or in IA32_XSS), in XSTATE_BV and in masks. */
  readonly bit: number;
  readonly name: string;
  /** CPUID feature that brings it. */
  readonly feature: string;
  /** Where it lies in the standard format, and how many bytes it has. */
  readonly offset: number;
  readonly size: number;
  /** Enabled by IA32_XSS and saved by XSAVES only. */
  readonly supervisor: boolean;
  /** Aligned to 64 bytes in the compacted format. */
  readonly aligned: boolean;
  /** Is it in another than its initial state? SDM Vol. 1, 13.6. What a processor may track more coarsely is exact here. */
  inUse(cpu: Cpu): boolean;
  /** Ranges of the area that `store` fills, when it lies at `at`; the bytes between them are the software's. */
  ranges(cpu: Cpu, at: number): readonly (readonly [from: number, to: number])[];
  /** What `load` takes without #GP; left out: anything. */
  legal?(cpu: Cpu, view: DataView, at: number): boolean;
  store(cpu: Cpu, view: DataView, at: number, wide: boolean): void;
  load(cpu: Cpu, view: DataView, at: number, wide: boolean): void;
  init(cpu: Cpu): void;
}

const HEADER_END = 576;

const x87InUse = (cpu: Cpu): boolean => {
  if (cpu.u32(L.FCW) !== 0x37f || cpu.u32(L.FSW) !== 0 || cpu.u32(L.FTW) !== 0xffff || cpu.u32(L.FOP) !== 0) return true;
  if (cpu.u64(L.FIP) !== 0n || cpu.u64(L.FDP) !== 0n || cpu.u32(L.FCS) !== 0 || cpu.u32(L.FDS) !== 0) return true;
  for (let n = 0; n < 8; n++) {
    const { low, high } = fpr(cpu, n);
    if (low !== 0n || high !== 0) return true;
  }
  return false;
};

/** MXCSR belongs to no component: each instruction has a rule of its own for it. */
export const components: readonly Component[] = [
  {
    bit: 0, name: 'x87', feature: 'fpu', offset: 0, size: LEGACY_SIZE, supervisor: false, aligned: false,
    inUse: x87InUse,
    ranges: () => [[0, 24], [REGISTERS_AT, XMM_AT]],
    store: (cpu, view, _at, wide) => storeX87(cpu, view, wide),
    load: (cpu, view, _at, wide) => loadX87(cpu, view, wide),
    init(cpu) {
      initX87(cpu);
      for (let n = 0; n < 8; n++) setFpr(cpu, n, 0n, 0);
    },
  },
  {
    bit: 1, name: 'SSE', feature: 'sse', offset: XMM_AT, size: 256, supervisor: false, aligned: false,
    inUse: (cpu) => !vectorsClear(cpu, 0),
    ranges: (cpu) => [[XMM_AT, XMM_AT + vectorCount(cpu) * 16]],
    store: (cpu, view) => storeVectors(cpu, view, XMM_AT, 0),
    load: (cpu, view) => loadVectors(cpu, view, XMM_AT, 0),
    init: (cpu) => clearVectors(cpu, 0),
  },
  {
    bit: 2, name: 'AVX', feature: 'avx', offset: HEADER_END, size: 256, supervisor: false, aligned: false,
    inUse: (cpu) => !vectorsClear(cpu, 16),
    ranges: (cpu, at) => [[at, at + vectorCount(cpu) * 16]],
    store: (cpu, view, at) => storeVectors(cpu, view, at, 16),
    load: (cpu, view, at) => loadVectors(cpu, view, at, 16),
    init: (cpu) => clearVectors(cpu, 16),
  },
  {
    bit: 3, name: 'BNDREGS', feature: 'mpx', offset: 960, size: 64, supervisor: false, aligned: false,
    inUse: boundsInUse,
    ranges: (_cpu, at) => [[at, at + BOUND_REGISTERS * 16]],
    store(cpu, view, at) {
      for (let n = 0; n < BOUND_REGISTERS * 2; n++) view.setBigUint64(at + n * 8, cpu.u64(L.BND + n * 8), true);
    },
    load(cpu, view, at) {
      for (let n = 0; n < BOUND_REGISTERS * 2; n++) cpu.setU64(L.BND + n * 8, view.getBigUint64(at + n * 8, true));
    },
    init: initBounds,
  },
  {
    bit: 4, name: 'BNDCSR', feature: 'mpx', offset: 1024, size: 64, supervisor: false, aligned: false,
    inUse: (cpu) => cpu.u64(L.BNDCFGU) !== 0n || cpu.u64(L.BNDSTATUS) !== 0n,
    ranges: (_cpu, at) => [[at, at + 16]],
    legal: (cpu, view, at) => configLegal(cpu, view.getBigUint64(at, true)),
    store(cpu, view, at) {
      view.setBigUint64(at, cpu.u64(L.BNDCFGU), true);
      view.setBigUint64(at + 8, cpu.u64(L.BNDSTATUS), true);
    },
    load(cpu, view, at) {
      setConfig(cpu, L.BNDCFGU, view.getBigUint64(at, true));
      cpu.setU64(L.BNDSTATUS, view.getBigUint64(at + 8, true));
    },
    init(cpu) {
      cpu.setU64(L.BNDCFGU, 0n);
      cpu.setU64(L.BNDSTATUS, 0n);
    },
  },
  {
    bit: 9, name: 'PKRU', feature: 'pku', offset: 2688, size: 8, supervisor: false, aligned: false,
    inUse: (cpu) => cpu.u32(L.PKRU) !== 0,
    ranges: (_cpu, at) => [[at, at + 8]],
    store(cpu, view, at) {
      view.setUint32(at, cpu.u32(L.PKRU), true);
      view.setUint32(at + 4, 0, true);
    },
    load: (cpu, view, at) => writePkru(cpu, view.getUint32(at, true)),
    init: (cpu) => writePkru(cpu, 0),
  },
]; // prettier-ignore

const bitsOf = (list: readonly Component[]): bigint => list.reduce((bits, c) => bits | (1n << BigInt(c.bit)), 0n);
const offered = (model: CpuModel): readonly Component[] => components.filter((c) => model.features.has(c.feature));

/** Bits that XCR0 and IA32_XSS may have. */
export const xcr0Bits = (model: CpuModel): bigint => bitsOf(offered(model).filter((c) => !c.supervisor));
export const xssBits = (model: CpuModel): bigint => bitsOf(offered(model).filter((c) => c.supervisor));

export const xss = (cpu: Cpu): bigint => msrSlot(cpu, MsrSlot.xss);

export const inMask = (mask: bigint, c: Component): boolean => ((mask >> BigInt(c.bit)) & 1n) !== 0n;

/** XINUSE: SDM Vol. 1, 13.6. */
export const inUse = (cpu: Cpu): bigint => bitsOf(components.filter((c) => c.inUse(cpu)));

/** A component's place in an area: SDM Vol. 1, 13.4.2 and 13.4.3. `compacted`: the components that have one in such an area. */
export function offsetIn(c: Component, compacted: bigint | undefined): number {
  if (compacted === undefined || c.bit < 2) return c.offset;
  let at = HEADER_END;
  for (const other of components) {
    if (other.bit < 2 || !inMask(compacted, other)) continue;
    if (other.aligned) at = (at + 63) & ~63;
    if (other === c) return at;
    at += other.size;
  }
  throw new Error(`component ${c.name} has no place in the area`);
}

/** Bytes of an area for these components, header included. */
export function areaSize(mask: bigint, compacted: boolean): number {
  let size = HEADER_END;
  for (const c of components) if (c.bit >= 2 && inMask(mask, c)) size = Math.max(size, offsetIn(c, compacted ? mask : undefined) + c.size);
  return size;
}
