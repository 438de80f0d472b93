import type { Cpu } from '../cpu/cpu.ts';
import { PAGE_SIZE, RAM } from '../memory/layout.ts';
import type { PhysAddr } from '../memory/address.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import { VMCS_ABORT, VMCS_LAUNCH_STATE, VMCS_REVISION, type VmcsField } from './fields.ts';
import { currentVmcsPointer } from './state.ts';

export const LaunchState = { clear: 0, launched: 1 } as const;

/**
 * A VMCS where it lies: a view of guest memory, never a copy. SDM Vol. 3, 25.1 lets a processor keep parts of an active
 * VMCS elsewhere; this one does not, so VMCLEAR has nothing to write back and a VMM may copy the region as bytes.
 */
export class Vmcs {
  readonly address: PhysAddr;
  readonly #memory: PhysicalMemory;
  readonly #base: number;

  /** @param address of a page of RAM (VMPTRLD made sure of that) */
  constructor(memory: PhysicalMemory, address: PhysAddr) {
    this.address = address;
    this.#memory = memory;
    this.#base = RAM + address;
  }

  /** A field of at most 32 bits. */
  num(f: VmcsField<16 | 32>): number {
    const at = this.#base + f.offset;
    return f.width === 16 ? this.#memory.linear.u16[at >> 1]! : this.#memory.linear.u32[at >> 2]!;
  }

  /** A 64-bit or natural-width field. */
  big(f: VmcsField<64 | 'natural'>): bigint {
    return this.#memory.linear.u64[(this.#base + f.offset) >> 3]!;
  }

  /** Halves of a 64-bit or natural-width field: warm paths do without bigints. */
  low(f: VmcsField<64 | 'natural'>): number {
    return this.#memory.linear.u32[(this.#base + f.offset) >> 2]!;
  }
  high(f: VmcsField<64 | 'natural'>): number {
    return this.#memory.linear.u32[((this.#base + f.offset) >> 2) + 1]!;
  }

  /** A 64-bit or natural-width field into a slot of the CPU block, and back, by halves. */
  load(cpu: Cpu, slot: number, f: VmcsField<64 | 'natural'>): void {
    const { u32 } = this.#memory.linear;
    const from = (this.#base + f.offset) >> 2;
    const to = (cpu.block + slot) >> 2;
    u32[to] = u32[from]!;
    u32[to + 1] = u32[from + 1]!;
  }
  save(cpu: Cpu, slot: number, f: VmcsField<64 | 'natural'>): void {
    const { u32 } = this.#memory.linear;
    const from = (cpu.block + slot) >> 2;
    const to = (this.#base + f.offset) >> 2;
    u32[to] = u32[from]!;
    u32[to + 1] = u32[from + 1]!;
    this.#touch();
  }

  setNum(f: VmcsField<16 | 32>, value: number): void {
    const at = this.#base + f.offset;
    if (f.width === 16) this.#memory.linear.u16[at >> 1] = value;
    else this.#memory.linear.u32[at >> 2] = value;
    this.#touch();
  }

  setBig(f: VmcsField<64 | 'natural'>, value: bigint): void {
    this.#memory.linear.u64[(this.#base + f.offset) >> 3] = value;
    this.#touch();
  }

  /** A 64-bit or natural-width field of which only the low half is not 0. */
  setLow(f: VmcsField<64 | 'natural'>, low: number): void {
    const { u32 } = this.#memory.linear;
    const at = (this.#base + f.offset) >> 2;
    u32[at] = low;
    u32[at + 1] = 0;
    this.#touch();
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
    return this.#memory.linear.u32[(this.#base + VMCS_REVISION) >> 2]!;
  }

  get abort(): number {
    return this.#memory.linear.u32[(this.#base + VMCS_ABORT) >> 2]!;
  }
  set abort(value: number) {
    this.#memory.linear.u32[(this.#base + VMCS_ABORT) >> 2] = value;
    this.#touch();
  }

  get launchState(): number {
    return this.#memory.linear.u32[(this.#base + VMCS_LAUNCH_STATE) >> 2]!;
  }
  set launchState(value: number) {
    this.#memory.linear.u32[(this.#base + VMCS_LAUNCH_STATE) >> 2] = value;
    this.#touch();
  }

  /** A page that is watched, or holds decoded code, hears of the write. */
  #touch(): void {
    const page = Math.floor(this.address / PAGE_SIZE);
    if (this.#memory.pageMarks[page]) this.#memory.onMarkedWrite(page, 0, PAGE_SIZE);
  }
}

// A view per CPU is kept: VM exits and entries make no garbage. It is rebuilt when the pointer is another.
const views = new WeakMap<Cpu, Vmcs>();

/** The current VMCS; undefined when there is none. */
export function currentVmcs(cpu: Cpu): Vmcs | undefined {
  const pointer = currentVmcsPointer(cpu);
  if (pointer === undefined) return undefined;
  const view = views.get(cpu);
  if (view?.address === pointer) return view;
  const fresh = new Vmcs(cpu.machine.memory, pointer);
  views.set(cpu, fresh);
  return fresh;
}

/** The current VMCS in VMX non-root operation, where there always is one. */
export function guestVmcs(cpu: Cpu): Vmcs {
  const vmcs = currentVmcs(cpu);
  if (!vmcs) throw new Error('vmx: non-root operation without a current VMCS');
  return vmcs;
}
