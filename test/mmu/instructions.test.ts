import { describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import { controlInstructions } from '../../src/machine/cpu/instructions/index.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readLinear } from '../../src/machine/cpu/mmu/access.ts';
import { lookupData } from '../../src/machine/cpu/mmu/tlb.ts';
import { MsrSlot, msrSlot, resetMsrs, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { insn, memoryInsn } from '../support/insn.ts';
import { enterMode, P, PageTables, U, W, type ModeOptions, type PagingMode } from '../support/page-tables.ts';

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3] as const;

function setUp(options: ModeOptions & { model?: string; mode?: PagingMode } = {}) {
  const machine = fakeMachine({ model: options.model ?? 'skylake' });
  const tables = new PageTables(machine, options.mode ?? '4-level');
  for (let page = 0; page < 16; page++) tables.map(BigInt(page * 4096), page * 4096, P | W | U);
  resetMsrs(machine.cpu);
  enterMode(machine.cpu, tables, options);
  return { machine, cpu: machine.cpu, tables };
}

function run(cpu: Cpu, i: Insn): string {
  try {
    controlInstructions[i.name]!(cpu, i);
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return { 1: '#DB', 6: '#UD', 13: '#GP', 14: '#PF' }[e.vector] ?? `vector ${e.vector}`;
  }
}

describe('privilege and existence', () => {
  const table: readonly (readonly [i: Insn, supervisor: string, user: string])[] = [
    [insn('mov_cr_r', { reg: 3 }), 'ok', '#GP'],
    [insn('mov_r_cr', { reg: 3 }), 'ok', '#GP'],
    [insn('mov_r_cr', { reg: 1 }), '#UD', '#UD'],
    [insn('mov_cr_r', { reg: 5 }), '#UD', '#UD'],
    [insn('mov_r_cr', { reg: 9 }), '#UD', '#UD'],
    [insn('mov_r_dr', { reg: 6 }), 'ok', '#GP'],
    [insn('mov_dr_r', { reg: 9 }), '#UD', '#UD'],
    [insn('lmsw'), 'ok', '#GP'],
    [insn('smsw'), 'ok', 'ok'],
    [insn('clts'), 'ok', '#GP'],
    [memoryInsn('invlpg', 0x8000_0000_0000n), 'ok', '#GP'],
    [insn('invlpg'), '#UD', '#UD'],
    [memoryInsn('invpcid', 0x1000n, { reg: RBX }), 'ok', '#GP'],
    [insn('rdmsr'), '#GP', '#GP'],
    [insn('rdtsc'), 'ok', 'ok'],
    [insn('rdtscp'), 'ok', 'ok'],
    [insn('rdpmc'), 'ok', '#GP'],
    [insn('rdpid'), '#UD', '#UD'],
    [insn('cpuid'), 'ok', 'ok'],
    [insn('wbinvd'), 'ok', '#GP'],
    [insn('invd'), 'ok', '#GP'],
    [insn('xgetbv'), '#UD', '#UD'],
    [insn('xsetbv'), '#UD', '#UD'],
    [insn('swapgs'), 'ok', '#GP'],
    [insn('rdfsbase'), '#UD', '#UD'],
    [insn('monitor'), 'ok', '#UD'],
    [insn('mwait'), 'ok', '#UD'],
    [insn('pause'), 'ok', 'ok'],
    [insn('clac'), 'ok', '#UD'],
    [insn('stac'), 'ok', '#UD'],
  ];
  it.each(table.map(([i, supervisor, user]) => ({ i, name: `${i.name} ${i.reg}`, supervisor, user })))(
    '$name: CPL 0 $supervisor, CPL 3 $user',
    ({ i, supervisor, user }) => {
      for (const [cpl, expected] of [
        [0, supervisor],
        [3, user],
      ] as const) {
        const { cpu } = setUp({ cpl });
        cpu.setGpr(RAX, i.name === 'mov_cr_r' ? cpu.cr3 : cpu.cr0 & 15n);
        expect(run(cpu, i), `CPL ${cpl}`).toBe(expected);
      }
    },
  );

  it.each([
    ['penryn', 'rdtscp'],
    ['sandybridge', 'invpcid'],
  ])('%s does not have %s', (model, name) => {
    expect(run(setUp({ model }).cpu, memoryInsn(name, 0x1000n))).toBe('#UD');
  });
});

describe('control registers', () => {
  it('reads and writes 64 bits in 64-bit mode', () => {
    const { cpu } = setUp();
    cpu.setGpr(8, 0x1234_5678_9abc_def0n);
    run(cpu, insn('mov_cr_r', { reg: 2, rm: 8 }));
    expect(cpu.cr2).toBe(0x1234_5678_9abc_def0n);
    run(cpu, insn('mov_r_cr', { reg: 2, rm: 9 }));
    expect(cpu.gpr(9)).toBe(0x1234_5678_9abc_def0n);
  });

  it('and 32 bits elsewhere', () => {
    const { cpu } = setUp({ mode: '32-bit' });
    cpu.setGpr(RBX, 0xffff_ffff_0000_1000n);
    expect(run(cpu, insn('mov_cr_r', { reg: 0, rm: RBX }))).toBe('ok');
    expect(cpu.cr0).toBe(BigInt(CR0.ET));
  });

  it('an illegal value leaves the register as it was', () => {
    const { cpu } = setUp();
    const before = cpu.cr4;
    cpu.setGpr(RAX, 1n << 31n);
    expect(run(cpu, insn('mov_cr_r', { reg: 4 }))).toBe('#GP');
    expect(cpu.cr4).toBe(before);
  });

  it('CR8 is the interrupt source', () => {
    const { cpu } = setUp();
    cpu.setGpr(RAX, 7n);
    run(cpu, insn('mov_cr_r', { reg: 8 }));
    expect(cpu.irq.getCr8()).toBe(7);
    run(cpu, insn('mov_r_cr', { reg: 8, rm: RBX }));
    expect(cpu.gpr(RBX)).toBe(7n);
  });

  it('LMSW sets PE but does not clear it; CLTS clears TS', () => {
    const machine = fakeMachine();
    const { cpu } = machine;
    cpu.setGpr(RAX, 0xfffbn);
    expect(run(cpu, insn('lmsw', { opsize: 16 }))).toBe('ok');
    expect(cpu.cr0 & 15n).toBe(0xbn);
    cpu.setGpr(RAX, 0n);
    run(cpu, insn('lmsw', { opsize: 16 }));
    expect(cpu.cr0 & 15n).toBe(1n);
    cpu.cr0 |= BigInt(CR0.TS);
    run(cpu, insn('clts'));
    expect(cpu.cr0 & BigInt(CR0.TS)).toBe(0n);
  });

  it.each([
    [16, 0xffff_ffff_ffff_0033n],
    [32, 0x8005_0033n],
    [64, 0x8005_0033n],
  ] as const)('SMSW to a %i-bit register', (opsize, expected) => {
    const { cpu } = setUp();
    cpu.cr0 = 0x8005_0033n;
    cpu.setGpr(RAX, -1n);
    run(cpu, insn('smsw', { opsize }));
    expect(cpu.gpr(RAX)).toBe(expected);
  });

  it('SMSW to memory stores 16 bits, and UMIP keeps it to CPL 0', () => {
    const { cpu, machine } = setUp({ cpl: 3 });
    machine.memory.write(0x1000, 4, 0xaaaa_aaaa);
    expect(run(cpu, memoryInsn('smsw', 0x1000n))).toBe('ok');
    expect(machine.memory.read(0x1002, 2)).toBe(0xaaaa);
    cpu.cr4 |= BigInt(CR4.UMIP);
    expect(run(cpu, memoryInsn('smsw', 0x1000n))).toBe('#GP');
  });
});

describe('translations', () => {
  const known = (cpu: Cpu, linear: number): boolean => lookupData(cpu, cpu.u32(L.TLB), 0, linear, false) >= 0;

  it('INVLPG drops one page', () => {
    const { cpu } = setUp();
    readLinear(cpu, 0x1000n, 4);
    readLinear(cpu, 0x2000n, 4);
    run(cpu, memoryInsn('invlpg', 0x1fffn));
    expect([known(cpu, 0x1000), known(cpu, 0x2000)]).toEqual([false, true]);
  });

  it('INVLPG adds the segment base', () => {
    const { cpu } = setUp();
    readLinear(cpu, 0x3000n, 4);
    cpu.segments[L.GS]!.base = 0x2000n;
    run(cpu, memoryInsn('invlpg', 0x1000n, { segment: L.GS }));
    expect(known(cpu, 0x3000)).toBe(false);
  });

  it.each<[string, bigint, bigint, bigint, number, string, boolean?]>([
    ['address', 0n, 0n, 0x4fffn, 0, 'ok'],
    ['another address', 0n, 0n, 0x3000n, 0, 'ok', true],
    ['address of another PCID', 0n, 5n, 0x4000n, CR4.PCIDE, 'ok', true],
    ['address, non-canonical', 0n, 0n, 0x8000_0000_0000n, 0, '#GP'],
    ['context', 1n, 0n, 0x8000_0000_0000n, 0, 'ok'],
    ['context with a PCID and PCIDs off', 1n, 5n, 0n, 0, '#GP'],
    ['context with a PCID and PCIDs on', 1n, 5n, 0n, CR4.PCIDE, 'ok', true],
    ['context in use and PCIDs on', 1n, 0n, 0n, CR4.PCIDE, 'ok'],
    ['all with globals', 2n, 5n, 0n, 0, 'ok'],
    ['all', 3n, 0n, 0n, 0, 'ok'],
    ['type 4', 4n, 0n, 0n, 0, '#GP'],
    ['reserved bits', 2n, 0x1000n, 0n, 0, '#GP'],
  ])('INVPCID: %s', (_, type, pcid, linear, cr4, expected, spared = false) => {
    const { cpu, machine } = setUp({ cr4 });
    machine.memory.write64(0x1000, pcid);
    machine.memory.write64(0x1008, linear);
    readLinear(cpu, 0x4000n, 4);
    cpu.setGpr(RBX, type);
    expect(run(cpu, memoryInsn('invpcid', 0x1000n, { reg: RBX }))).toBe(expected);
    expect(known(cpu, 0x4000)).toBe(expected !== 'ok' || spared);
  });
});

describe('MSRs and time', () => {
  it('RDMSR and WRMSR use EDX:EAX and ECX, upper halves cleared', () => {
    const { cpu } = setUp();
    for (const n of [RAX, RCX, RDX]) cpu.setGpr(n, -1n);
    cpu.setGpr32(RCX, 0xc000_0081);
    cpu.setGpr(RAX, 0xffff_ffff_1111_2222n);
    cpu.setGpr(RDX, 0xffff_ffff_3333_4444n);
    expect(run(cpu, insn('wrmsr'))).toBe('ok');
    expect(msrSlot(cpu, MsrSlot.star)).toBe(0x3333_4444_1111_2222n);
    expect(run(cpu, insn('rdmsr'))).toBe('ok');
    expect([cpu.gpr(RAX), cpu.gpr(RDX)]).toEqual([0x1111_2222n, 0x3333_4444n]);
  });

  it('RDTSC counts nanoseconds; RDTSCP adds TSC_AUX', () => {
    const { cpu, machine } = setUp();
    machine.clock.advance(0x1_2345_6789);
    setMsrSlot(cpu, MsrSlot.tscAux, 7n);
    run(cpu, insn('rdtscp'));
    expect([cpu.gpr(RAX), cpu.gpr(RDX), cpu.gpr(RCX)]).toEqual([0x2345_6789n, 1n, 7n]);
  });

  it('CR4.TSD keeps RDTSC and RDTSCP to CPL 0', () => {
    for (const name of ['rdtsc', 'rdtscp']) {
      expect(run(setUp({ cpl: 3, cr4: CR4.TSD }).cpu, insn(name))).toBe('#GP');
      expect(run(setUp({ cr4: CR4.TSD }).cpu, insn(name))).toBe('ok');
    }
  });
});

describe('segment bases', () => {
  it('SWAPGS exchanges with KERNEL_GS_BASE, in 64-bit mode only', () => {
    const { cpu } = setUp();
    cpu.segments[L.GS]!.base = 1n;
    setMsrSlot(cpu, MsrSlot.kernelGsBase, 2n);
    run(cpu, insn('swapgs'));
    expect([cpu.segments[L.GS]!.base, msrSlot(cpu, MsrSlot.kernelGsBase)]).toEqual([2n, 1n]);
    cpu.setU32(L.CODE_SIZE, 1);
    expect(run(cpu, insn('swapgs'))).toBe('#UD');
  });

  it('RDFSBASE and WRGSBASE at both widths', () => {
    const { cpu } = setUp({ cr4: CR4.FSGSBASE, cpl: 3 });
    cpu.segments[L.FS]!.base = 0xffff_8000_1234_5678n;
    run(cpu, insn('rdfsbase', { rm: RBX }));
    expect(cpu.gpr(RBX)).toBe(0xffff_8000_1234_5678n);
    run(cpu, insn('rdfsbase', { rm: RBX, opsize: 32 }));
    expect(cpu.gpr(RBX)).toBe(0x1234_5678n);
    cpu.setGpr(RBX, 0xffff_8000_0000_0001n);
    run(cpu, insn('wrgsbase', { rm: RBX, opsize: 32 }));
    expect(cpu.segments[L.GS]!.base).toBe(1n);
    cpu.setGpr(RBX, 0x8000_0000_0000n);
    expect(run(cpu, insn('wrgsbase', { rm: RBX }))).toBe('#GP');
  });
});

describe('others', () => {
  it('CPUID fills four registers and clears their upper halves', () => {
    const { cpu } = setUp();
    for (const n of [RAX, RCX, RDX, RBX]) cpu.setGpr(n, -1n << 32n);
    run(cpu, insn('cpuid'));
    expect([cpu.gpr(RAX), cpu.gpr(RBX)]).toEqual([0xdn, 0x756e_6547n]);
    expect([cpu.gpr(RCX), cpu.gpr(RDX)]).toEqual([0x6c65_746en, 0x4965_6e69n]);
  });

  it('STAC and CLAC', () => {
    const { cpu } = setUp();
    run(cpu, insn('stac'));
    expect(cpu.rflags & Flag.AC).toBe(Flag.AC);
    run(cpu, insn('clac'));
    expect(cpu.rflags & Flag.AC).toBe(0);
  });

  it.each<[number, bigint, string]>([
    [0, 1n, 'ok'],
    [0, 3n, 'ok'],
    [0, 2n, '#GP'],
    [0, 7n, 'ok'],
    [0, 5n, '#GP'],
    [0, 0x20n, '#GP'],
    [1, 1n, '#GP'],
    [0, 1n | (1n << 63n), '#GP'],
  ])('XSETBV of XCR%i = %s', (index, value, expected) => {
    const { cpu } = setUp();
    cpu.cr4 |= BigInt(CR4.OSXSAVE);
    cpu.setGpr(RCX, BigInt(index));
    cpu.setGpr(RAX, value & 0xffff_ffffn);
    cpu.setGpr(RDX, value >> 32n);
    expect(run(cpu, insn('xsetbv'))).toBe(expected);
    expect(cpu.u64(L.XCR0)).toBe(expected === 'ok' ? value : 0n);
  });
});
