import type { Cpu } from '../cpu/cpu.ts';
import { PAGE_SIZE, RAM } from '../memory/layout.ts';
import type { PhysAddr } from '../memory/address.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import { instantiateVmcsCode, type VmcsCode } from './emitted/module.ts';
import { VMCS_ABORT, VMCS_LAUNCH_STATE, VMCS_REVISION, type VmcsField } from './fields.ts';
import { currentVmcsPointer } from './state.ts';

export const LaunchState = { clear: 0, launched: 1 } as const;

const codes = new WeakMap<LinearMemory, VmcsCode>();

function codeFor(linear: LinearMemory): VmcsCode {
  let code = codes.get(linear);
  if (!code) codes.set(linear, (code = instantiateVmcsCode(linear)));
  return code;
}

/**
 * A VMCS where it lies: a view of guest memory, never a copy. SDM Vol. 3, 25.1 lets a processor keep parts of an active
 * VMCS elsewhere; this one does not, so VMCLEAR has nothing to write back and a VMM may copy the region as bytes.
 */
export class Vmcs {
  readonly address: PhysAddr;
  /** Where the region lies in linear memory, and the index of its first word there: warm paths work on words. */
  readonly base: number;
  readonly word: number;
  /** What works on the region as a whole. */
  readonly code: VmcsCode;
  readonly #memory: PhysicalMemory;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #page: number;

  /** @param address of a page of RAM (VMPTRLD made sure of that) */
  constructor(memory: PhysicalMemory, address: PhysAddr) {
    this.address = address;
    this.base = RAM + address;
    this.word = this.base / 4;
    this.code = codeFor(memory.linear);
    this.#memory = memory;
    this.#u16 = memory.linear.u16;
    this.#u32 = memory.linear.u32;
    this.#page = Math.floor(address / PAGE_SIZE);
  }

  /** A field of at most 32 bits. */
  num(f: VmcsField<16 | 32>): number {
    const at = this.word + (f.offset >> 2);
    return f.width === 16 ? this.#u16[at * 2]! : this.#u32[at]!;
  }

  /** A 64-bit or natural-width field. */
  big(f: VmcsField<64 | 'natural'>): bigint {
    return this.#memory.linear.u64[(this.word + (f.offset >> 2)) / 2]!;
  }

  /** Halves of a 64-bit or natural-width field: warm paths do without bigints. */
  low(f: VmcsField<64 | 'natural'>): number {
    return this.#u32[this.word + (f.offset >> 2)]!;
  }
  high(f: VmcsField<64 | 'natural'>): number {
    return this.#u32[this.word + (f.offset >> 2) + 1]!;
  }

  /** A 64-bit or natural-width field into a slot of the CPU block, and back, by halves. */
  load(cpu: Cpu, slot: number, f: VmcsField<64 | 'natural'>): void {
    const from = this.word + (f.offset >> 2);
    const to = (cpu.block + slot) >> 2;
    this.#u32[to] = this.#u32[from]!;
    this.#u32[to + 1] = this.#u32[from + 1]!;
  }
  save(cpu: Cpu, slot: number, f: VmcsField<64 | 'natural'>): void {
    const from = (cpu.block + slot) >> 2;
    this.setHalves(f, this.#u32[from]!, this.#u32[from + 1]!);
  }

  setNum(f: VmcsField<16 | 32>, value: number): void {
    const at = this.word + (f.offset >> 2);
    if (f.width === 16) this.#u16[at * 2] = value;
    else this.#u32[at] = value;
    this.touch();
  }

  setBig(f: VmcsField<64 | 'natural'>, value: bigint): void {
    this.#memory.linear.u64[(this.word + (f.offset >> 2)) / 2] = value;
    this.touch();
  }

  setHalves(f: VmcsField<64 | 'natural'>, low: number, high: number): void {
    const at = this.word + (f.offset >> 2);
    this.#u32[at] = low;
    this.#u32[at + 1] = high;
    this.touch();
  }

  /** Any field, zero-extended. */
  read(f: VmcsField): bigint {
    return f.width === 16 || f.width === 32 ? BigInt(this.num(f as VmcsField<16 | 32>)) : this.big(f as VmcsField<64>);
  }

  /** Any field; excess bits are dropped. */
  write(f: VmcsField, value: bigint): void {
    if (f.width === 16 || f.width === 32) this.setNum(f as VmcsField<16 | 32>, Number(BigInt.asUintN(f.width, value)));
    else this.setBig(f as VmcsField<64>, value);
  }

  get revision(): number {
    return this.#u32[this.word + (VMCS_REVISION >> 2)]!;
  }

  get abort(): number {
    return this.#u32[this.word + (VMCS_ABORT >> 2)]!;
  }
  set abort(value: number) {
    this.#u32[this.word + (VMCS_ABORT >> 2)] = value;
    this.touch();
  }

  get launchState(): number {
    return this.#u32[this.word + (VMCS_LAUNCH_STATE >> 2)]!;
  }
  set launchState(value: number) {
    this.#u32[this.word + (VMCS_LAUNCH_STATE >> 2)] = value;
    this.touch();
  }

  /** A page that is watched, or holds decoded code, hears of the write. To be called by whoever writes words. */
  touch(): void {
    if (this.#memory.pageMarks[this.#page]) this.#memory.onMarkedWrite(this.#page, 0, PAGE_SIZE);
  }
}

// A view per CPU is kept: VM exits and entries make no garbage. It is rebuilt when the pointer is another.
const views = new WeakMap<Cpu, Vmcs>();
/** The view asked for last, and whose it is. */
let lastCpu: Cpu | undefined;
let lastView: Vmcs | undefined;

/** The current VMCS; undefined when there is none. */
export function currentVmcs(cpu: Cpu): Vmcs | undefined {
  const pointer = currentVmcsPointer(cpu);
  if (pointer === undefined) return undefined;
  if (lastCpu === cpu && lastView!.address === pointer) return lastView;
  let view = views.get(cpu);
  if (view?.address !== pointer) views.set(cpu, (view = new Vmcs(cpu.machine.memory, pointer)));
  lastCpu = cpu;
  lastView = view;
  return view;
}

/** The current VMCS in VMX non-root operation, where there always is one. */
export function guestVmcs(cpu: Cpu): Vmcs {
  const vmcs = currentVmcs(cpu);
  if (!vmcs) throw new Error('vmx: non-root operation without a current VMCS');
  return vmcs;
}
