import { describe, expect, it } from 'vitest';
import { Flag, VmxMode } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import { lastFailure } from '../../src/machine/vmx/failure.ts';
import { F, fieldExists, REVISION_ID } from '../../src/machine/vmx/fields.ts';
import { At, insn, memory, Rig, type Outcome } from './rig.ts';

const MEMORY_FORMS = ['vmxon', 'vmclear', 'vmptrld', 'vmptrst'] as const;
const ROOT_ONLY = ['vmclear', 'vmptrld', 'vmptrst', 'vmread', 'vmwrite', 'vmlaunch', 'vmresume', 'vmxoff', 'invept', 'invvpid', 'vmcall'] as const;
const form = (name: string): Partial<Insn> =>
  ['vmclear', 'vmptrld', 'vmptrst', 'vmxon', 'invept', 'invvpid'].includes(name) ? memory(At.operand) : {};

describe('before anything else', () => {
  it.each(ROOT_ONLY)('%s outside VMX operation is #UD', (name) => {
    expect(new Rig().run(insn(name, form(name)))).toBe('#6');
  });

  it.each([...ROOT_ONLY, 'vmxon'])('%s at CPL 3 is #GP(0)', (name) => {
    const rig = name === 'vmxon' ? new Rig() : new Rig().ready();
    rig.cpu.setU32(L.CPL, 3);
    expect(rig.run(insn(name, form(name)))).toBe('#13(0)');
  });

  it.each([...ROOT_ONLY, 'vmxon'])('%s in compatibility mode is #UD, whatever the CPL', (name) => {
    const rig = new Rig().ready();
    setCodeSegment(rig.cpu, 0x1b, 0n, 0xffff_ffff, 0xc0fb, 3);
    expect(rig.run(insn(name, form(name)))).toBe('#6');
  });

  it.each(MEMORY_FORMS)('%s with a register operand is #UD', (name) => {
    expect(new Rig().ready().run(insn(name))).toBe('#6');
  });

  it.each(['invept', 'invvpid'])('%s is #UD on a model without EPT and VPID', (name) => {
    expect(new Rig('penryn').vmxon().run(insn(name, memory(At.operand)))).toBe('#6');
  });

  it('VMFUNC is #UD: not offered', () => {
    expect(new Rig().vmxon().run(insn('vmfunc'))).toBe('#6');
  });
});

describe('VMXON', () => {
  const cases: readonly (readonly [string, (rig: Rig) => void, bigint | number, Outcome])[] = [
    ['succeeds', () => {}, At.vmxon, 'ok'],
    ['without CR4.VMXE', (rig) => void (rig.cpu.cr4 &= ~0x2000n), At.vmxon, '#6'],
    ['without CR0.NE', (rig) => void (rig.cpu.cr0 &= ~0x20n), At.vmxon, '#13(0)'],
    ['with CR4 bits that VMX does not allow', (rig) => void (rig.cpu.cr4 |= 1n << 30n), At.vmxon, '#13(0)'],
    ['with a misaligned pointer', () => {}, At.vmxon + 0x800, 'VMfailInvalid'],
    ['with a pointer beyond the physical-address width', () => {}, 1n << 39n, 'VMfailInvalid'],
    ['with another revision identifier', (rig) => rig.machine.memory.write(At.vmxon, 4, REVISION_ID ^ 1), At.vmxon, 'VMfailInvalid'],
    ['with bit 31 of the revision set', (rig) => rig.machine.memory.write(At.vmxon, 4, (REVISION_ID | 0x8000_0000) >>> 0), At.vmxon, 'VMfailInvalid'],
    ['where there is no RAM', () => {}, 0x8000_0000, 'VMfailInvalid'],
  ];
  it.each(cases)('%s', (_, prepare, pointer, outcome) => {
    const rig = new Rig();
    rig.machine.memory.write(At.vmxon, 4, REVISION_ID);
    prepare(rig);
    expect(rig.run(insn('vmxon', rig.pointer(At.vmxon, pointer)))).toBe(outcome);
    expect(rig.cpu.vmxMode).toBe(outcome === 'ok' ? VmxMode.root : VmxMode.off);
  });

  it.each([0n, 1n, 4n])('with IA32_FEATURE_CONTROL %d is #GP(0)', (value) => {
    const rig = new Rig();
    rig.cpu.setU64(L.MSRS + 10 * 8, value);
    expect(rig.run(insn('vmxon', memory(At.operand)))).toBe('#13(0)');
  });

  it('in VMX root operation is VMfail 15, or VMfailInvalid without a current VMCS', () => {
    expect(new Rig().ready().run(insn('vmxon', memory(At.operand)))).toBe('VMfail 15');
    expect(new Rig().vmxon().run(insn('vmxon', memory(At.operand)))).toBe('VMfailInvalid');
  });
});

const WIDE = 1n << 39n;
const errors: readonly (readonly [string, Insn, bigint | number, Outcome])[] = [
  ['VMCLEAR of a misaligned pointer', insn('vmclear'), At.vmcs + 8, 'VMfail 2'],
  ['VMCLEAR beyond the width', insn('vmclear'), WIDE, 'VMfail 2'],
  ['VMCLEAR of the VMXON pointer', insn('vmclear'), At.vmxon, 'VMfail 3'],
  ['VMCLEAR of another region', insn('vmclear'), At.vmcs2, 'ok'],
  ['VMPTRLD of a misaligned pointer', insn('vmptrld'), At.vmcs + 8, 'VMfail 9'],
  ['VMPTRLD beyond the width', insn('vmptrld'), WIDE, 'VMfail 9'],
  ['VMPTRLD of the VMXON pointer', insn('vmptrld'), At.vmxon, 'VMfail 10'],
  ['VMPTRLD of a region without revision', insn('vmptrld'), At.vmcs2, 'VMfail 11'],
  ['VMPTRLD where there is no RAM', insn('vmptrld'), 0x8000_0000, 'VMfail 11'],
  ['VMPTRLD of the current VMCS', insn('vmptrld'), At.vmcs, 'ok'],
];

describe('VMCS pointers', () => {
  it.each(errors)('%s', (_, { name }, pointer, outcome) => {
    const rig = new Rig().ready();
    expect(rig.run(insn(name, rig.pointer(0, pointer)))).toBe(outcome);
    if (outcome !== 'ok') expect(lastFailure(rig.cpu)!.detail).toContain(`0x${BigInt(pointer).toString(16)}`);
  });

  it.each(errors.filter(([, , , outcome]) => outcome !== 'ok'))('%s, without a current VMCS, is VMfailInvalid', (_, { name }, pointer) => {
    const rig = new Rig().vmxon();
    expect(rig.run(insn(name, rig.pointer(0, pointer)))).toBe('VMfailInvalid');
  });

  it('VMPTRST stores the current pointer, and all ones without one', () => {
    const rig = new Rig().ready();
    const stored = (): bigint => rig.machine.memory.read64(At.operand);
    expect(rig.run(insn('vmptrst', memory(At.operand)))).toBe('ok');
    expect(stored()).toBe(BigInt(At.vmcs));
    rig.run(insn('vmclear', rig.pointer(At.vmcs)));
    expect(rig.run(insn('vmptrst', memory(At.operand)))).toBe('ok');
    expect(stored()).toBe(0xffff_ffff_ffff_ffffn);
  });

  it('a VMCS copied as an opaque page after VMCLEAR works at its new address', () => {
    const rig = new Rig().inGuest();
    rig.run(insn('cpuid'));
    rig.run(insn('vmclear', rig.pointer(At.vmcs)));
    rig.machine.memory.poke(At.vmcs2, rig.machine.memory.peek(At.vmcs, 4096)!);
    expect(rig.run(insn('vmptrld', rig.pointer(At.vmcs2)))).toBe('ok');
    expect(rig.run(insn('vmresume'))).toBe('VMfail 5');
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
  });
});

describe('VMREAD and VMWRITE', () => {
  const read = (rig: Rig, encoding: bigint, more: Partial<Insn> = {}): Outcome => {
    rig.cpu.setGpr(1, encoding);
    return rig.run(insn('vmread', { reg: 1, rm: 0, opsize: 64, ...more }));
  };
  const write = (rig: Rig, encoding: bigint, value: bigint, more: Partial<Insn> = {}): Outcome => {
    rig.cpu.setGpr(1, encoding);
    rig.cpu.setGpr(0, value);
    return rig.run(insn('vmwrite', { reg: 1, rm: 0, opsize: 64, ...more }));
  };
  const ALL = 0x1234_5678_9abc_def0n;
  const offered = Object.values(F).filter((f) => fieldExists(cpuModel('skylake')!, f));

  it.each(offered.map((f) => [f.title, f] as const))('write and read %s at its width', (_, f) => {
    const rig = new Rig().ready();
    const width = f.width === 'natural' ? 64 : f.width;
    expect(write(rig, BigInt(f.encoding), ALL)).toBe('ok');
    expect(read(rig, BigInt(f.encoding))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(BigInt.asUintN(width, ALL));
  });

  it.each(offered.filter((f) => f.width === 64))('the high half of $title', (f) => {
    const rig = new Rig().ready();
    rig.set(f, ALL);
    expect(read(rig, BigInt(f.encoding | 1))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(ALL >> 32n);
    expect(write(rig, BigInt(f.encoding | 1), 0x55n)).toBe('ok');
    expect(rig.get(f)).toBe((0x55n << 32n) | (ALL & 0xffff_ffffn));
  });

  it.each([0x4001n, 0x6801n, 0x0006n, 0x1_0000_4000n, 0x7ffen])('encoding %d names no component: VMfail 12', (encoding) => {
    expect(read(new Rig().ready(), encoding)).toBe('VMfail 12');
    expect(write(new Rig().ready(), encoding, 0n)).toBe('VMfail 12');
  });

  it.each([F.vpid, F.eptPointer, F.guestPhysicalAddress, F.guestPat])('$title is unsupported on penryn', (f) => {
    expect(read(new Rig('penryn').ready(), BigInt(f.encoding))).toBe('VMfail 12');
  });

  it.each([
    ['penryn', 'VMfail 13'],
    ['sandybridge', 'VMfail 13'],
    ['haswell', 'ok'],
  ] as const)('VMWRITE to an exit-information field on %s: %s', (model, outcome) => {
    expect(write(new Rig(model).ready(), BigInt(F.exitReason.encoding), 1n)).toBe(outcome);
  });

  it('both are VMfailInvalid without a current VMCS', () => {
    expect(read(new Rig().vmxon(), 0x4000n)).toBe('VMfailInvalid');
    expect(write(new Rig().vmxon(), 0x4000n, 0n)).toBe('VMfailInvalid');
  });

  it('memory operands have 64 bits in 64-bit mode', () => {
    const rig = new Rig().ready();
    rig.set(F.guestCr3, ALL);
    expect(read(rig, BigInt(F.guestCr3.encoding), memory(At.operand))).toBe('ok');
    expect(rig.machine.memory.read64(At.operand)).toBe(ALL);
    rig.machine.memory.write64(At.operand, 0x77n);
    expect(write(rig, BigInt(F.guestCr3.encoding), 0n, memory(At.operand))).toBe('ok');
    expect(rig.get(F.guestCr3)).toBe(0x77n);
  });

  it('have 32 bits outside 64-bit mode: the upper half is not read, and cleared by a write', () => {
    const rig = new Rig('skylake', '32-bit').ready();
    rig.set(F.guestCr3, ALL);
    expect(read(rig, BigInt(F.guestCr3.encoding))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(ALL & 0xffff_ffffn);
    expect(write(rig, BigInt(F.guestCr3.encoding), ALL)).toBe('ok');
    expect(rig.get(F.guestCr3)).toBe(ALL & 0xffff_ffffn);
  });

  it('leave the flags as VMsucceed: all six clear', () => {
    const rig = new Rig().ready();
    read(rig, 0x4000n);
    expect(rig.cpu.rflags & (Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF)).toBe(0);
  });
});

describe('VMLAUNCH and VMRESUME', () => {
  it.each(['vmlaunch', 'vmresume'])('%s without a current VMCS is VMfailInvalid', (name) => {
    expect(new Rig().vmxon().run(insn(name))).toBe('VMfailInvalid');
  });
  it.each(['vmlaunch', 'vmresume'])('%s with events blocked by MOV SS is VMfail 26', (name) => {
    const rig = new Rig().ready();
    rig.cpu.interruptibility = 2;
    expect(rig.run(insn(name))).toBe('VMfail 26');
  });
  it('VMRESUME of a clear VMCS is VMfail 5', () => {
    expect(new Rig().ready().run(insn('vmresume'))).toBe('VMfail 5');
  });
  it('a failed VMLAUNCH leaves the launch state clear', () => {
    const rig = new Rig().ready();
    rig.set(F.guestRip, 1n << 50n);
    expect(rig.launch()).toBe('entry failure 33');
    rig.set(F.guestRip, At.guestCode);
    expect(rig.launch()).toBe('ok');
  });
});

describe('VMCALL and VMXOFF in root operation', () => {
  it('VMCALL is VMfail 1', () => expect(new Rig().ready().run(insn('vmcall'))).toBe('VMfail 1'));
  it('VMXOFF leaves VMX operation', () => {
    const rig = new Rig().ready();
    expect(rig.run(insn('vmxoff'))).toBe('ok');
    expect(rig.cpu.vmxMode).toBe(VmxMode.off);
    expect(rig.run(insn('vmxoff'))).toBe('#6');
  });
});

describe('INVEPT and INVVPID', () => {
  const EPTP = BigInt(At.ept) | 0x1en;
  const cases: readonly (readonly [name: string, type: bigint, low: bigint, high: bigint, Outcome])[] = [
    ['invept', 1n, EPTP, 0n, 'ok'],
    ['invept', 2n, 0n, 0n, 'ok'],
    ['invept', 0n, EPTP, 0n, 'VMfail 28'],
    ['invept', 3n, EPTP, 0n, 'VMfail 28'],
    ['invept', 1n << 32n, EPTP, 0n, 'VMfail 28'],
    ['invept', 1n, EPTP, 1n, 'VMfail 28'],
    ['invept', 1n, EPTP & ~0x38n, 0n, 'VMfail 28'],
    ['invept', 1n, EPTP | 1n, 0n, 'VMfail 28'],
    ['invept', 1n, EPTP | 0x80n, 0n, 'VMfail 28'],
    ['invept', 1n, EPTP | (1n << 39n), 0n, 'VMfail 28'],
    ['invvpid', 0n, 1n, 0x7fff_ffff_ffffn, 'ok'],
    ['invvpid', 0n, 1n, 0x8000_0000_0000n, 'VMfail 28'],
    ['invvpid', 0n, 0n, 0n, 'VMfail 28'],
    ['invvpid', 1n, 1n, 0n, 'ok'],
    ['invvpid', 1n, 0n, 0n, 'VMfail 28'],
    ['invvpid', 2n, 0n, 0n, 'ok'],
    ['invvpid', 3n, 0xffffn, 0n, 'ok'],
    ['invvpid', 3n, 0n, 0n, 'VMfail 28'],
    ['invvpid', 3n, 0x1_0001n, 0n, 'VMfail 28'],
    ['invvpid', 4n, 1n, 0n, 'VMfail 28'],
  ];
  it.each(cases)('%s type %d with descriptor %d %d: %s', (name, type, low, high, outcome) => {
    const rig = new Rig().ready();
    rig.machine.memory.write64(At.operand, low);
    rig.machine.memory.write64(At.operand + 8, high);
    rig.cpu.setGpr(2, type);
    expect(rig.run(insn(name, memory(At.operand, { reg: 2 })))).toBe(outcome);
  });
});
