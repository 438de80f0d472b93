/** A CPU in 64-bit mode with VMX on, a valid VMCS for a 64-bit guest, and instructions given as `Insn`s: for tests of src/machine/vmx. */
import { ABANDONED, GuestFault, type GuestEvent } from '../../src/machine/cpu/fault.ts';
import { CR4, Flag, VmxMode, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { controlInstructions } from '../../src/machine/cpu/instructions/index.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { resetMsrs } from '../../src/machine/cpu/msr.ts';
import { deliverEvent } from '../../src/machine/cpu/system/deliver.ts';
import { systemInstructions } from '../../src/machine/cpu/system/index.ts';
import { allowedSettings } from '../../src/machine/vmx/capabilities.ts';
import { Entry, Exit, Primary, Secondary, type ControlWord } from '../../src/machine/vmx/controls.ts';
import { F, guestSegments, REVISION_ID, type VmcsField } from '../../src/machine/vmx/fields.ts';
import { vmxInstructions } from '../../src/machine/vmx/instructions.ts';
import { currentVmcs, Vmcs } from '../../src/machine/vmx/vmcs.ts';
import { CPU_BLOCKS, CPU_BLOCK_SIZE, RAM } from '../../src/machine/memory/layout.ts';
import { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import type { MachineServices } from '../../src/machine/machine-services.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';
import { enterMode, P, PageTables, U, W } from '../support/page-tables.ts';

const RAM_SIZE = 16 << 20;
/** Physical addresses; RAM is identity-mapped in host and guest, and by EPT. */
export const At = {
  vmxon: 0x20_0000, vmcs: 0x20_1000, vmcs2: 0x20_2000, ioBitmapA: 0x20_3000, ioBitmapB: 0x20_4000, msrBitmaps: 0x20_5000, virtualApic: 0x20_6000,
  msrArea: 0x20_7000, operand: 0x20_8000, ept: 0x21_0000, guestIdt: 0x22_0000, guestGdt: 0x22_1000, guestTss: 0x22_2000, guestStack: 0x22_8000,
  guestCode: 0x23_0000, guestHandler: 0x23_1000, hostRip: 0x24_0000, hostStack: 0x24_8000, hostTss: 0x24_9000,
} as const; // prettier-ignore

const HELPERS = { ...systemInstructions, ...controlInstructions, ...vmxInstructions };

export function insn(name: string, more: Partial<Insn> = {}): Insn {
  return {
    ...{ name, length: 3, mode: 64, opsize: 32, addrsize: 64, rep: 0, lock: false, rex: 0, opcode: 0, modrm: -1, reg: 0, rm: 0, isMemory: false },
    ...{ base: -1, index: -1, scale: 0, disp: 0n, segment: L.DS, segmentOverride: false, imm: 0n, imm2: 0, ...more },
  };
}

/** A memory operand at an absolute address. */
export const memory = (address: number, more: Partial<Insn> = {}): Partial<Insn> => ({ isMemory: true, disp: BigInt(address), ...more });

export type Outcome =
  'ok' | 'VMfailInvalid' | `VMfail ${number}` | `exit ${number}` | `entry failure ${number}` | `#${number}` | `#${number}(${number})`;

/** Memories take long to make, and thousands of rigs are made. A test has at most this many alive at once. */
const POOL = 4;
const pool: LinearMemory[] = [];
let taken = 0;
function memoryFromPool(): LinearMemory {
  const n = taken++ % POOL;
  const known = pool[n];
  if (!known) return (pool[n] = new LinearMemory(RAM_SIZE));
  known.u8.fill(0, CPU_BLOCKS, CPU_BLOCKS + CPU_BLOCK_SIZE * 2);
  known.u8.fill(0, RAM, RAM + RAM_SIZE);
  return known;
}

export class Rig {
  readonly machine: FakeMachine;
  readonly cpu: Cpu;
  readonly probed: string[] = [];

  constructor(model: string | CpuModel = 'skylake', mode: '4-level' | 'pae' | '32-bit' = '4-level') {
    this.machine = fakeMachine({ linear: memoryFromPool(), model });
    this.cpu = this.machine.cpu;
    resetMsrs(this.cpu);
    const tables = new PageTables(this.machine, mode);
    const step = mode === '32-bit' ? 4n : 2n;
    for (let page = 0n; page < 16n; page += step) tables.map(page << 20n, page << 20n, P | W | U, 2);
    enterMode(this.cpu, tables, { cr4: CR4.VMXE });
    this.cpu.rip = 0x1000n;
    this.machine.probe = {
      vmEntry: (_, launch) => this.probed.push(launch ? 'launch' : 'resume'),
      vmExit: (_, reason) => this.probed.push(`exit ${reason}`),
      vmFailure: (_, f) => this.probed.push(`failure ${f.rule}`),
    };
  }

  get vmcs(): Vmcs {
    return currentVmcs(this.cpu)!;
  }

  /** Executes an instruction as the core does and names what came of it. */
  run(i: Insn): Outcome {
    const { cpu } = this;
    const inGuest = cpu.guest !== null;
    cpu.rip = cpu.rip;
    cpu.nextRip = cpu.rip + BigInt(i.length);
    const before = cpu.rip;
    const vmx = i.name in vmxInstructions && i.name !== 'vmfunc';
    if (vmx) cpu.rflags = 2 | Flag.CF | Flag.ZF | Flag.SF;
    try {
      if (!cpu.guest?.instruction(cpu, i)) HELPERS[i.name]!(cpu, i);
    } catch (e) {
      if (e === ABANDONED) return this.#exit();
      if (!(e instanceof GuestFault)) throw e;
      return e.errorCode === undefined ? `#${e.vector}` : `#${e.vector}(${e.errorCode})`;
    }
    if (inGuest && cpu.guest === null) return this.#exit();
    if (cpu.rip === before) cpu.rip = cpu.nextRip;
    if (!inGuest && cpu.guest) return 'ok';
    if (!inGuest && (i.name === 'vmlaunch' || i.name === 'vmresume') && cpu.rip === currentVmcs(cpu)?.big(F.hostRip)) return this.#exit();
    if (!vmx) return 'ok';
    if (cpu.rflags & Flag.CF) return 'VMfailInvalid';
    return cpu.rflags & Flag.ZF ? `VMfail ${this.vmcs.num(F.instructionError)}` : 'ok';
  }

  #exit(): Outcome {
    const reason = this.vmcs.num(F.exitReason);
    return reason >= 0x8000_0000 ? `entry failure ${reason & 0xffff}` : `exit ${reason}`;
  }

  /** An exception or interrupt as the core handles it. */
  event(event: GuestEvent): Outcome {
    if (!this.cpu.guest?.event(this.cpu, event)) deliverEvent(this.cpu, event);
    return this.cpu.guest ? 'ok' : this.#exit();
  }

  boundary(): Outcome | 'nothing' {
    return this.cpu.guest!.boundary(this.cpu) ? this.#exit() : 'nothing';
  }

  pointer(at: number, value: bigint | number = at): Partial<Insn> {
    this.machine.memory.write64(At.operand, BigInt(value));
    return memory(At.operand);
  }

  vmxon(): this {
    this.machine.memory.write(At.vmxon, 4, REVISION_ID);
    const outcome = this.run(insn('vmxon', this.pointer(At.vmxon)));
    if (outcome !== 'ok') throw new Error(`vmxon: ${outcome}`);
    return this;
  }

  /** VMXON, VMCLEAR, VMPTRLD and a VMCS that enters a 64-bit guest. */
  ready(): this {
    this.vmxon();
    this.machine.memory.write(At.vmcs, 4, REVISION_ID);
    for (const name of ['vmclear', 'vmptrld']) {
      const outcome = this.run(insn(name, this.pointer(At.vmcs)));
      if (outcome !== 'ok') throw new Error(`${name}: ${outcome}`);
    }
    writeBaseline(this);
    return this;
  }

  launch(): Outcome {
    return this.run(insn('vmlaunch'));
  }

  /** In the guest, after a VM entry that must succeed. */
  inGuest(prepare: (rig: this) => void = () => {}): this {
    this.ready();
    prepare(this);
    const outcome = this.launch();
    if (outcome !== 'ok') throw new Error(`vmlaunch: ${outcome} ${this.machine.messages.join('\n')}`);
    return this;
  }

  set(f: VmcsField, value: bigint | number): void {
    this.vmcs.write(f, BigInt(value));
  }
  get(f: VmcsField): bigint {
    return this.vmcs.read(f);
  }
  /** Sets and clears bits of a field. */
  bits(f: VmcsField, set: number | bigint, clear: number | bigint = 0): void {
    this.set(f, (this.get(f) & ~BigInt(clear)) | BigInt(set));
  }
  primary(bits: number): void {
    this.bits(F.primaryControls, BigInt(bits >>> 0));
  }
  /** Activates secondary controls and sets some. */
  secondary(bits: number): void {
    this.primary(Primary.activateSecondaryControls);
    this.bits(F.secondaryControls, bits);
  }

  /** EPT with an identity map of RAM by 2-MByte pages, and its pointer. */
  ept(more: { readonly flags?: bigint; readonly pointerBits?: bigint } = {}): void {
    const { memory: ram } = this.machine;
    ram.write64(At.ept, BigInt(At.ept + 0x1000) | 7n);
    ram.write64(At.ept + 0x1000, BigInt(At.ept + 0x2000) | 7n);
    for (let n = 0; n < 8; n++) ram.write64(At.ept + 0x2000 + n * 8, BigInt(n << 21) | 0xb0n | (more.flags ?? 7n));
    this.secondary(Secondary.enableEpt);
    this.set(F.eptPointer, BigInt(At.ept) | 0x1en | (more.pointerBits ?? 0n));
  }
}

/** The control words and their fields. */
export const controlWords: readonly (readonly [ControlWord, VmcsField<32>])[] = [
  ['pin', F.pinControls],
  ['primary', F.primaryControls],
  ['secondary', F.secondaryControls],
  ['exit', F.exitControls],
  ['entry', F.entryControls],
];

/** Access rights: SDM Vol. 3, 25.4.1. */
const [CODE64, CODE32, DATA, TSS, UNUSABLE] = [0xa09b, 0xc09b, 0xc093, 0x8b, 0x1_0000];

/** What the VMCS is written for: a rig, or a whole machine with a current VMCS. */
export interface Baseline {
  readonly cpu: Cpu;
  readonly vmcs: Vmcs;
  readonly machine: Pick<MachineServices, 'memory'>;
}

/** A VMCS whose entry succeeds: host and guest in 64-bit mode on the same page tables. */
export function writeBaseline(rig: Baseline): void {
  const { cpu, vmcs } = rig;
  const must = (word: ControlWord): number => allowedSettings(cpu.model, word).must;
  for (const f of Object.values(F)) if (f.access === 'rw') vmcs.write(f, 0n);
  vmcs.setNum(F.pinControls, must('pin'));
  // Penryn has no TRUE capability MSRs: its default1 class has CR3-load and -store exiting.
  vmcs.setNum(F.primaryControls, must('primary'));
  vmcs.setNum(F.secondaryControls, must('secondary'));
  const long = cpu.longMode;
  vmcs.setNum(F.exitControls, must('exit') | (long ? Exit.hostAddressSpaceSize : 0));
  vmcs.setNum(F.entryControls, must('entry') | (long ? Entry.ia32eModeGuest : 0));
  vmcs.setBig(F.vmcsLinkPointer, 0xffff_ffff_ffff_ffffn);
  for (const [f, value] of [
    [F.ioBitmapA, At.ioBitmapA],
    [F.ioBitmapB, At.ioBitmapB],
    [F.msrBitmaps, At.msrBitmaps],
    [F.virtualApicAddress, At.virtualApic],
  ] as const) {
    vmcs.setBig(f, BigInt(value)); // prettier-ignore
  }
  for (const f of [F.hostPat, F.guestPat]) vmcs.setBig(f, 0x0007_0406_0007_0406n);
  for (const f of [F.hostEfer, F.guestEfer]) vmcs.setBig(f, long ? 0xd00n : 0x800n);
  for (const f of [F.hostCr0, F.guestCr0]) vmcs.setBig(f, cpu.cr0);
  for (const f of [F.hostCr3, F.guestCr3]) vmcs.setBig(f, cpu.cr3);
  for (const f of [F.hostCr4, F.guestCr4]) vmcs.setBig(f, cpu.cr4);
  vmcs.setNum(F.hostCsSelector, 8);
  vmcs.setNum(F.hostSsSelector, 0x10);
  vmcs.setNum(F.hostTrSelector, 0x28);
  vmcs.setBig(F.hostTrBase, BigInt(At.hostTss));
  vmcs.setBig(F.hostRip, BigInt(At.hostRip));
  vmcs.setBig(F.hostRsp, BigInt(At.hostStack));
  for (const s of guestSegments) {
    vmcs.setNum(s.selector, s.name === 'CS' ? 8 : s.name === 'TR' ? 0x28 : s.name === 'LDTR' ? 0 : 0x10);
    vmcs.setNum(s.limit, s.name === 'TR' ? 0x67 : 0xffff_ffff);
    vmcs.setNum(s.accessRights, s.name === 'CS' ? (long ? CODE64 : CODE32) : s.name === 'TR' ? TSS : s.name === 'LDTR' ? UNUSABLE : DATA);
  }
  vmcs.setBig(F.guestTrBase, BigInt(At.guestTss));
  vmcs.setBig(F.guestGdtrBase, BigInt(At.guestGdt));
  vmcs.setNum(F.guestGdtrLimit, 0xff);
  vmcs.setBig(F.guestIdtrBase, BigInt(At.guestIdt));
  vmcs.setNum(F.guestIdtrLimit, 0xfff);
  vmcs.setBig(F.guestDr7, 0x400n);
  vmcs.setBig(F.guestRsp, BigInt(At.guestStack));
  vmcs.setBig(F.guestRip, BigInt(At.guestCode));
  vmcs.setBig(F.guestRflags, 2n);
  writeGuestTables(rig);
}

/** A GDT with 64-bit code at 8 and data at 10H, and an IDT whose gates all lead to `At.guestHandler + vector * 16`. */
function writeGuestTables({ machine: { memory: ram } }: Baseline): void {
  ram.write64(At.guestGdt + 8, 0x00af_9b00_0000_ffffn);
  ram.write64(At.guestGdt + 0x10, 0x00cf_9300_0000_ffffn);
  for (let vector = 0; vector < 256; vector++) {
    const handler = BigInt(At.guestHandler + vector * 16);
    ram.write64(At.guestIdt + vector * 16, (handler & 0xffffn) | (8n << 16n) | (0x8en << 40n) | ((handler >> 16n) << 48n));
    ram.write64(At.guestIdt + vector * 16 + 8, 0n);
  }
}

export const handlerOf = (vector: number): bigint => BigInt(At.guestHandler + vector * 16);
export const inRoot = (cpu: Cpu): boolean => cpu.guest === null && cpu.vmxMode === VmxMode.root;
