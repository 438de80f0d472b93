/** What a model-specific register is: one row. SDM Vol. 4, chapter 2, lists them all. */
import * as L from '../layout.ts';
import type { Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import type { CpuModel } from '../models/model.ts';

export interface Msr {
  readonly index: number;
  /** The SDM's name. */
  readonly name: string;
  /** Where the SDM describes it. */
  readonly section: string;
  /** CPUID feature without which RDMSR and WRMSR fault. */
  readonly needs?: string;
  /** Which models have it, where a feature does not say. */
  readonly offered?: (model: CpuModel) => boolean;
  read(cpu: Cpu): bigint;
  /** Throws #GP(0) for a value that the register does not take. Undefined: read-only. */
  readonly write?: (cpu: Cpu, value: bigint) => void;
  /** Power-on value; undefined: nothing to do. */
  readonly reset?: (cpu: Cpu) => void;
}

/** Plain storage in the CPU block, by slot number in `L.MSRS`. Emitted code and VMX use some of them directly. */
export const MsrSlot = {
  kernelGsBase: 0,
  star: 1,
  lstar: 2,
  cstar: 3,
  fmask: 4,
  tscAux: 5,
  sysenterCs: 6,
  sysenterEsp: 7,
  sysenterEip: 8,
  pat: 9,
  featureControl: 10,
  miscEnable: 11,
  debugctl: 12,
  perfGlobalCtrl: 13,
  mcgStatus: 14,
  mtrrDefType: 15,
  /** Eight pairs of base and mask. */
  mtrrVariable: 16,
  /** Eleven fixed-range registers. */
  mtrrFixed: 32,
  xss: 48,
  /** Eight general counters, their event selects, three fixed counters. */
  pmc: 49,
  perfEvtSel: 57,
  fixedCtr: 65,
  fixedCtrCtrl: 68,
  perfGlobalStatus: 69,
  /** No registers: what the counters were settled with last, see `perfmon/counters.ts`. */
  perfTicks: 70,
  perfOther: 71,
} as const;

/** Offset of a slot in the CPU block. */
export const msrSlotOffset = (slot: number): number => L.MSRS + slot * 8;
export const msrSlot = (cpu: Cpu, slot: number): bigint => cpu.u64(msrSlotOffset(slot));
export const setMsrSlot = (cpu: Cpu, slot: number, value: bigint): void => cpu.setU64(msrSlotOffset(slot), value);

/** A check of a value to be written: true when it is legal. */
export type Legal = (value: bigint, cpu: Cpu) => boolean;

export const anything: Legal = () => true;
export const canonical: Legal = (value, cpu) => cpu.canonicalBase(value);
/** Only these bits may be set. */
export const within =
  (bits: bigint): Legal =>
  (value) =>
    (value & ~bits) === 0n;

/** A register that is kept in a slot. */
export function stored(
  index: number,
  name: string,
  section: string,
  slot: number,
  legal: Legal = anything,
  options: { readonly needs?: string; readonly reset?: (model: CpuModel) => bigint } = {},
): Msr {
  return {
    index,
    name,
    section,
    ...(options.needs === undefined ? {} : { needs: options.needs }),
    read: (cpu) => msrSlot(cpu, slot),
    write(cpu, value) {
      if (!legal(value, cpu)) throw gp();
      setMsrSlot(cpu, slot, value);
    },
    reset: (cpu) => setMsrSlot(cpu, slot, options.reset?.(cpu.model) ?? 0n),
  };
}

/** A register that always reads the same; writes fault unless `ignored` says that they do nothing. */
export function constant(
  index: number,
  name: string,
  section: string,
  value: (cpu: Cpu) => bigint,
  options: { readonly needs?: string; readonly ignored?: boolean } = {},
): Msr {
  return {
    index,
    name,
    section,
    ...(options.needs === undefined ? {} : { needs: options.needs }),
    read: value,
    ...(options.ignored ? { write: () => {} } : {}),
  };
}
