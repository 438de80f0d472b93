import { describe, expect, it } from 'vitest';
import { cr4Bits, loadControlRegisters, writeCr0, writeCr3, writeCr4, writeCr8, writeEfer } from '../../src/machine/cpu/control-registers.ts';
import { CR0, CR4, EFER, VmxMode, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { readLinear } from '../../src/machine/cpu/mmu/access.ts';
import { getPdpte } from '../../src/machine/cpu/mmu/pdptes.ts';
import { lookupData } from '../../src/machine/cpu/mmu/tlb.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';
import { enterMode, P, PageTables, W, type ModeOptions, type PagingMode } from '../support/page-tables.ts';

type Mode = PagingMode | 'real';

function setUp(mode: Mode, options: ModeOptions & { model?: string | CpuModel } = {}): { machine: FakeMachine; cpu: Cpu; tables: PageTables } {
  const machine = fakeMachine({ model: options.model ?? 'skylake' });
  const tables = new PageTables(machine, mode === 'real' ? 'off' : mode);
  if (mode !== 'real' && mode !== 'off') tables.map(0x1_0000n, 0x30_0000, P | W);
  if (mode !== 'real') enterMode(machine.cpu, tables, options);
  else machine.cpu.cr0 = BigInt(CR0.ET);
  return { machine, cpu: machine.cpu, tables };
}

function gpOr(f: () => void): string {
  try {
    f();
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return e.vector === 13 && e.errorCode === 0 ? '#GP(0)' : `vector ${e.vector}`;
  }
}

const PG = CR0.PG;
const PE = CR0.PE;
/** CR0 values as the table's author writes them: unsigned. */
const cr0 = (...bits: number[]): bigint => BigInt(bits.reduce((a, b) => (a | b) >>> 0, CR0.NE));

describe('CR0: SDM Vol. 3, 2.5', () => {
  it.each<[string, Mode, bigint, string]>([
    ['protected mode', 'real', cr0(PE), 'ok'],
    ['PG without PE', 'real', cr0(PG), '#GP(0)'],
    ['NW without CD', 'real', cr0(CR0.NW), '#GP(0)'],
    ['NW with CD', 'real', cr0(CR0.NW, CR0.CD), 'ok'],
    ['bits 63:32', 'real', 1n << 32n, '#GP(0)'],
    ['reserved bits of the low half are ignored', 'real', cr0(PE, 0x0f00_0040), 'ok'],
    ['paging on', 'off', cr0(PE, PG), 'ok'],
    ['paging off in 64-bit mode', '4-level', cr0(PE), '#GP(0)'],
    ['paging off in 32-bit mode', '32-bit', cr0(PE), 'ok'],
    ['PE off under paging', '32-bit', cr0(PG), '#GP(0)'],
  ])('%s', (_, mode, value, expected) => {
    expect(gpOr(() => writeCr0(setUp(mode).cpu, value))).toBe(expected);
  });

  it('ET reads as 1, reserved bits as 0', () => {
    const { cpu } = setUp('real');
    writeCr0(cpu, 0x0f00_0040n | BigInt(PE));
    expect(cpu.cr0).toBe(BigInt(PE | CR0.ET));
  });

  it.each<[string, number, (cpu: Cpu) => void, string]>([
    ['PAE and CS.L clear', CR4.PAE, () => {}, 'ok'],
    ['without PAE', 0, () => {}, '#GP(0)'],
    ['CS.L set', CR4.PAE, (cpu) => cpu.segments[L.CS]!.load(8, 0n, 0xffff_ffff, 0xa09b), '#GP(0)'],
    ['16-bit TSS', CR4.PAE, (cpu) => cpu.segments[L.TR]!.load(0x28, 0n, 0x67, 0x83), '#GP(0)'],
    ['no TSS', CR4.PAE, (cpu) => cpu.segments[L.TR]!.load(0, 0n, 0, 0x1_0000), 'ok'],
  ])('activation of IA-32e mode (10.8.5.3): %s', (_, cr4, change, expected) => {
    const { cpu } = setUp('off');
    cpu.cr4 = BigInt(cr4);
    cpu.efer = BigInt(EFER.LME);
    change(cpu);
    expect(gpOr(() => writeCr0(cpu, cr0(PE, PG)))).toBe(expected);
    expect(cpu.longMode).toBe(expected === 'ok');
    expect(cpu.pagingOn).toBe(expected === 'ok');
  });

  it('leaving IA-32e mode from compatibility mode clears LMA and keeps LME', () => {
    const { cpu } = setUp('4-level');
    cpu.segments[L.CS]!.load(8, 0n, 0xffff_ffff, 0xc09b);
    cpu.setU32(L.CODE_SIZE, 1);
    writeCr0(cpu, cr0(PE));
    expect([cpu.longMode, (cpu.efer & BigInt(EFER.LME)) !== 0n, cpu.u32(L.CODE_SIZE)]).toEqual([false, true, 1]);
  });

  it('paging cannot be left with PCIDs enabled', () => {
    const { cpu } = setUp('4-level', { cr4: CR4.PCIDE });
    cpu.setU32(L.CODE_SIZE, 1);
    expect(gpOr(() => writeCr0(cpu, cr0(PE)))).toBe('#GP(0)');
  });

  it.each<[string, bigint, boolean, string]>([
    ['as VMX wants it', cr0(PE, PG), false, 'ok'],
    ['NE clear', cr0(PE, PG) & ~BigInt(CR0.NE), false, '#GP(0)'],
    ['paging off', cr0(PE), false, '#GP(0)'],
    ['paging off, unrestricted guest', cr0(PE), true, 'ok'],
    ['NE clear, unrestricted guest', BigInt(PE), true, '#GP(0)'],
  ])('in VMX operation (24.8): %s', (_, value, unrestricted, expected) => {
    const { cpu } = setUp('32-bit');
    cpu.setU32(L.VMX_MODE, VmxMode.root);
    expect(gpOr(() => writeCr0(cpu, value, unrestricted))).toBe(expected);
  });
});

describe('CR3', () => {
  it.each<[string, Mode, bigint, string]>([
    ['64-bit, MAXPHYADDR', '4-level', 1n << 39n, '#GP(0)'],
    ['64-bit, below MAXPHYADDR', '4-level', 1n << 38n, 'ok'],
    ['bit 63 without PCIDs', '4-level', (1n << 63n) | 0x10_0000n, '#GP(0)'],
    ['low bits are ignored', '4-level', 0x10_0fffn, 'ok'],
  ])('%s', (_, mode, value, expected) => {
    expect(gpOr(() => writeCr3(setUp(mode).cpu, value))).toBe(expected);
  });

  it('with PCIDs bit 63 asks not to flush and is not stored', () => {
    const { cpu } = setUp('4-level', { cr4: CR4.PCIDE });
    const value = cpu.cr3 | 5n;
    writeCr3(cpu, value);
    readLinear(cpu, 0x1_0000n, 4);
    writeCr3(cpu, value | (1n << 63n));
    expect(cpu.cr3).toBe(value);
    expect(lookupData(cpu, cpu.u32(L.TLB), 0, 0x1_0000, false)).toBe(0x300);
    writeCr3(cpu, value);
    expect(lookupData(cpu, cpu.u32(L.TLB), 0, 0x1_0000, false)).toBe(-1);
  });

  it('writing the same value flushes', () => {
    const { cpu } = setUp('4-level');
    readLinear(cpu, 0x1_0000n, 4);
    writeCr3(cpu, cpu.cr3);
    expect(lookupData(cpu, cpu.u32(L.TLB), 0, 0x1_0000, false)).toBe(-1);
  });
});

describe('PDPTE registers: SDM Vol. 3, 4.4.1', () => {
  const TABLE = 0x20_0020; // 32-byte aligned is enough
  it.each<[string, bigint, string]>([
    ['present', 0x1001n, 'ok'],
    ['absent with reserved bits', 0x1e6n, 'ok'],
    ['bit 1', 0x1003n, '#GP(0)'],
    ['bit 5', 0x1021n, '#GP(0)'],
    ['bit 8', 0x1101n, '#GP(0)'],
    ['PWT and PCD', 0x1019n, 'ok'],
    ['bits 11:9', 0x1e01n, 'ok'],
    ['bit MAXPHYADDR', 1n | (1n << 39n), '#GP(0)'],
    ['bit 63', 1n | (1n << 63n), '#GP(0)'],
  ])('%s', (_, entry, expected) => {
    const { cpu, machine } = setUp('pae');
    const before = [cpu.cr3, getPdpte(cpu, 0), getPdpte(cpu, 3)];
    machine.memory.write64(TABLE, 0x7001n);
    machine.memory.write64(TABLE + 24, entry);
    expect(gpOr(() => writeCr3(cpu, BigInt(TABLE)))).toBe(expected);
    expect([cpu.cr3, getPdpte(cpu, 0), getPdpte(cpu, 3)]).toEqual(expected === 'ok' ? [BigInt(TABLE), 0x7001n, entry] : before);
  });

  it.each<[string, (cpu: Cpu) => void, boolean]>([
    ['enabling paging', (cpu) => ((cpu.cr0 = cr0(PE)), writeCr0(cpu, cr0(PE, PG))), true],
    ['changing CD', (cpu) => writeCr0(cpu, cr0(PE, PG, CR0.CD)), true],
    ['changing WP', (cpu) => writeCr0(cpu, cr0(PE, PG, CR0.WP)), false],
    ['changing PGE', (cpu) => writeCr4(cpu, BigInt(CR4.PAE | CR4.PGE)), true],
    ['changing OSFXSR', (cpu) => writeCr4(cpu, BigInt(CR4.PAE | CR4.OSFXSR)), false],
    ['enabling PAE', (cpu) => ((cpu.cr4 = 0n), writeCr4(cpu, BigInt(CR4.PAE))), true],
  ])('%s', (_, act, reloads) => {
    const { cpu, machine, tables } = setUp('pae');
    machine.memory.write64(tables.root + 16, 0x9001n);
    act(cpu);
    expect(getPdpte(cpu, 2)).toBe(reloads ? 0x9001n : 0n);
  });
});

describe('CR4', () => {
  it.each<[string, Mode, number, string, string]>([
    ['PSE', 'real', CR4.PSE, 'penryn', 'ok'],
    ['bit 31', 'real', 0x8000_0000, 'skylake', '#GP(0)'],
    ['PCIDE outside IA-32e mode', 'off', CR4.PCIDE, 'skylake', '#GP(0)'],
    ['PCIDE in IA-32e mode', '4-level', CR4.PAE | CR4.PCIDE, 'skylake', 'ok'],
    ['PCIDE on a processor without', '4-level', CR4.PAE | CR4.PCIDE, 'penryn', '#GP(0)'],
    ['SMEP on a processor without', 'real', CR4.SMEP, 'nehalem', '#GP(0)'],
    ['SMEP', 'real', CR4.SMEP, 'haswell', 'ok'],
    ['SMAP on a processor without', 'real', CR4.SMAP, 'haswell', '#GP(0)'],
    ['FSGSBASE on a processor without', 'real', CR4.FSGSBASE, 'sandybridge', '#GP(0)'],
    ['OSXSAVE without XSAVE', 'real', CR4.OSXSAVE, 'skylake,-xsave', '#GP(0)'],
    ['OSXSAVE', 'real', CR4.OSXSAVE, 'skylake', 'ok'],
    ['LA57 on a processor without', 'real', CR4.LA57, 'skylake', '#GP(0)'],
    ['VME and PVI on a processor without', 'real', CR4.VME | CR4.PVI, 'skylake,-vme', '#GP(0)'],
    ['VME and PVI', 'real', CR4.VME | CR4.PVI, 'penryn', 'ok'],
    ['VMXE', 'real', CR4.VMXE, 'penryn', 'ok'],
    ['SMXE', 'real', CR4.SMXE, 'skylake', '#GP(0)'],
    ['PAE off in IA-32e mode', '4-level', 0, 'skylake', '#GP(0)'],
    ['PAE off elsewhere', 'pae', 0, 'skylake', 'ok'],
  ])('%s', (_, mode, value, model, expected) => {
    expect(gpOr(() => writeCr4(setUp(mode, { model: parseCpuModel(model) }).cpu, BigInt(value)))).toBe(expected);
  });

  it('bits 63:32', () => {
    expect(gpOr(() => writeCr4(setUp('4-level').cpu, BigInt(CR4.PAE) | (1n << 32n)))).toBe('#GP(0)');
  });

  it('PCIDE with a PCID in CR3', () => {
    const { cpu } = setUp('4-level');
    cpu.cr3 |= 1n;
    expect(gpOr(() => writeCr4(cpu, BigInt(CR4.PAE | CR4.PCIDE)))).toBe('#GP(0)');
  });

  it('VMXE off in VMX operation', () => {
    const { cpu } = setUp('32-bit', { cr4: CR4.VMXE });
    cpu.setU32(L.VMX_MODE, VmxMode.root);
    expect(gpOr(() => writeCr4(cpu, BigInt(CR4.VMXE | CR4.PGE)))).toBe('ok');
    expect(gpOr(() => writeCr4(cpu, 0n))).toBe('#GP(0)');
  });

  it('toggling PGE flushes', () => {
    const { cpu } = setUp('4-level');
    for (const value of [CR4.PAE | CR4.PGE, CR4.PAE]) {
      readLinear(cpu, 0x1_0000n, 4);
      writeCr4(cpu, BigInt(value));
      expect(lookupData(cpu, cpu.u32(L.TLB), 0, 0x1_0000, false)).toBe(-1);
    }
  });

  it('a feature brings its bit', () => {
    const bits = (model: string): bigint => cr4Bits(parseCpuModel(model));
    expect(bits('skylake') ^ bits('skylake,-smap')).toBe(BigInt(CR4.SMAP));
    expect(bits('penryn,-vme') & BigInt(CR4.VME | CR4.PVI)).toBe(0n);
  });
});

describe('IA32_EFER', () => {
  it.each<[string, Mode, number, string]>([
    ['SCE, LME, NXE', 'off', EFER.SCE | EFER.LME | EFER.NXE, 'ok'],
    ['reserved bit', 'off', 2, '#GP(0)'],
    ['SVME', 'off', 0x1000, '#GP(0)'],
    ['LME changed under paging', '32-bit', EFER.LME, '#GP(0)'],
    ['LME cleared in IA-32e mode', '4-level', EFER.NXE, '#GP(0)'],
    ['NXE changed in IA-32e mode', '4-level', EFER.LME | EFER.LMA, 'ok'],
  ])('%s', (_, mode, value, expected) => {
    expect(gpOr(() => writeEfer(setUp(mode, { nxe: mode === '4-level' }).cpu, BigInt(value)))).toBe(expected);
  });

  it('LMA is not writable', () => {
    const off = setUp('off').cpu;
    writeEfer(off, BigInt(EFER.LMA));
    expect(off.efer).toBe(0n);
    const on = setUp('4-level').cpu;
    writeEfer(on, BigInt(EFER.LME));
    expect(on.efer).toBe(BigInt(EFER.LME | EFER.LMA));
  });
});

it('CR8 takes 4 bits', () => {
  const { cpu } = setUp('4-level');
  writeCr8(cpu, 15n);
  expect(cpu.irq.getCr8()).toBe(15);
  expect(gpOr(() => writeCr8(cpu, 16n))).toBe('#GP(0)');
});

it('loadControlRegisters checks nothing and derives the mode', () => {
  const { cpu } = setUp('real');
  cpu.segments[L.CS]!.load(8, 0n, 0xffff_ffff, 0xa09b);
  loadControlRegisters(cpu, { cr0: 0x8000_0001n, cr3: 0x5000n, cr4: BigInt(CR4.PAE), efer: BigInt(EFER.LME | EFER.LMA) });
  expect([cpu.code64, cpu.pagingOn, cpu.cr3]).toEqual([true, true, 0x5000n]);
});
