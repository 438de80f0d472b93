import { describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, VmxMode, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { MsrSlot, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { bareMachine, CODE, DATA, STACK } from '../support/bare-machine.ts';
import { bytes, compare, cpuState, pair } from './pair.ts';
import { quickCases } from './quick-cases.ts';

const inGuest = (cpu: Cpu): void => cpu.setU32(L.VMX_MODE, VmxMode.nonRoot);
const interrupts = (on: boolean) => (cpu: Cpu) => (cpu.sysflags = on ? cpu.sysflags | Flag.IF : cpu.sysflags & ~Flag.IF);
const iopl = (n: number) => (cpu: Cpu) => (cpu.sysflags = (cpu.sysflags & ~Flag.IOPL) | (n << 12));

/** Flags on the stack, in the TLB, without TF. */
const popped =
  (also: (cpu: Cpu) => void = () => {}, flags?: number) =>
  (cpu: Cpu, random: () => bigint): void => {
    cpu.machine.memory.write64(STACK - 16, flags === undefined ? random() & ~BigInt(Flag.TF) : BigInt(flags));
    cpu.rsp = BigInt(STACK - 16);
    also(cpu);
  };

/** MOV RAX, [RSP]; and MOV [RSP - 8], RAX: the TLB knows the stack. */
const TOUCH = '48 8b 04 24';
const TOUCH_BELOW = '48 89 44 24 f8';

describe('flags: quick and general', () => {
  quickCases([
    { name: 'CLI', code: 'fa', row: 'cli' },
    { name: 'STI, IF clear: the next instruction is in its shadow', code: 'fb 90', row: 'sti', prepare: interrupts(false) },
    { name: 'STI, IF set', code: 'fb 90', row: 'sti', prepare: interrupts(true) },
    { name: 'STI at CPL 3', code: 'fb', row: 'sti', cpl: 3, general: true, prepare: iopl(3) },
    { name: 'STI at CPL 3, not permitted', code: 'fb', row: 'sti', cpl: 3, general: true, prepare: iopl(0) },
    { name: 'CLAC', code: '0f 01 ca', row: 'clac' },
    { name: 'STAC', code: '0f 01 cb', row: 'stac' },
    { name: 'STAC with alignment checks on', code: '0f 01 cb', row: 'stac', prepare: (cpu) => void (cpu.cr0 |= BigInt(CR0.AM)) },
    { name: 'STAC at CPL 3', code: '0f 01 cb', row: 'stac', cpl: 3, general: true },
    { name: 'CLAC at CPL 3', code: '0f 01 ca', row: 'clac', cpl: 3, general: true },
    { name: 'PUSHFQ', code: `${TOUCH_BELOW} 9c`, row: 'pushf' },
    { name: 'PUSHFQ at CPL 3', code: `${TOUCH_BELOW} 9c`, row: 'pushf', cpl: 3 },
    { name: 'PUSHFQ, stack not in the TLB', code: '9c', row: 'pushf', general: true },
    { name: 'PUSHFQ over two pages', code: `${TOUCH_BELOW} 9c`, row: 'pushf', general: true, prepare: (cpu) => (cpu.rsp = BigInt(STACK + 4)) },
    { name: 'PUSHF', code: `${TOUCH_BELOW} 66 9c`, row: 'pushf', general: true },
    { name: 'POPFQ', code: `${TOUCH} 9d`, row: 'popf', prepare: popped() },
    { name: 'POPFQ with TF', code: `${TOUCH} 9d`, row: 'popf', prepare: popped(() => {}, 0x3f_ffff) },
    { name: 'POPFQ at CPL 3, IOPL 3', code: `${TOUCH} 9d`, row: 'popf', cpl: 3, prepare: popped(iopl(3)) },
    { name: 'POPFQ at CPL 3, IOPL 2', code: `${TOUCH} 9d`, row: 'popf', cpl: 3, prepare: popped(iopl(2)) },
    {
      name: 'POPFQ at CPL 3 where alignment is checked',
      code: `${TOUCH} 9d`,
      row: 'popf',
      cpl: 3,
      general: true,
      prepare: popped((cpu) => {
        cpu.cr0 |= BigInt(CR0.AM);
        cpu.sysflags |= Flag.AC;
      }),
    },
    { name: 'POPFQ, stack not in the TLB', code: '9d', row: 'popf', general: true, prepare: popped() },
    { name: 'POPF', code: `${TOUCH} 66 9d`, row: 'popf', general: true, prepare: popped() },
  ]);
});

describe('control registers: quick and general', () => {
  const values = (cpu: Cpu, random: () => bigint): void => {
    cpu.cr0 |= BigInt(CR0.TS);
    cpu.cr2 = random();
  };
  quickCases([
    ...[0, 2, 3, 4].map((n) => ({
      name: `MOV RBX, CR${n}`,
      code: `0f 20 ${(0xc3 | (n << 3)).toString(16)}`,
      row: 'mov_r_cr',
      prepare: values,
    })),
    { name: 'MOV R9, CR2', code: '41 0f 20 d1', row: 'mov_r_cr', prepare: values },
    { name: 'MOV RBX, CR8', code: '44 0f 20 c3', row: 'mov_r_cr', general: true },
    { name: 'MOV RBX, CR1', code: '0f 20 cb', row: 'mov_r_cr', general: true },
    { name: 'MOV RBX, CR3 at CPL 3', code: '0f 20 db', row: 'mov_r_cr', cpl: 3, general: true },
    { name: 'MOV RBX, CR3 in VMX non-root operation', code: '0f 20 db', row: 'mov_r_cr', general: true, prepare: inGuest },
    { name: 'CLTS', code: '0f 06', row: 'clts', prepare: values },
    { name: 'CLTS at CPL 3', code: '0f 06', row: 'clts', cpl: 3, general: true },
    { name: 'CLTS in VMX non-root operation', code: '0f 06', row: 'clts', general: true, prepare: inGuest },
  ]);
});

describe('segment registers and their bases: quick and general', () => {
  const base = (random: () => bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(48, random()));
  const bases = (cpu: Cpu, random: () => bigint): void => {
    for (const n of [L.FS, L.GS]) cpu.segments[n]!.base = base(random);
    setMsrSlot(cpu, MsrSlot.kernelGsBase, base(random));
    cpu.cr4 |= BigInt(CR4.FSGSBASE);
    cpu.setGpr(3, base(random));
    cpu.setGpr(13, base(random));
  };
  const msr =
    (index: number, canonical = true) =>
    (cpu: Cpu, random: () => bigint): void => {
      bases(cpu, random);
      const value = canonical ? base(random) : 0x8000_0000_0000n;
      cpu.setGpr(1, (random() << 32n) | BigInt(index));
      cpu.setGpr(0, (random() << 32n) | (value & 0xffff_ffffn));
      cpu.setGpr(2, (random() << 32n) | (value >> 32n));
    };
  quickCases([
    { name: 'SWAPGS', code: '0f 01 f8', row: 'swapgs', prepare: bases },
    { name: 'SWAPGS at CPL 3', code: '0f 01 f8', row: 'swapgs', cpl: 3, general: true, prepare: bases },
    ...['rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase'].flatMap((row, n) => {
      const modrm = (register: number): string => (0xc0 | (n << 3) | register).toString(16);
      const bad = (cpu: Cpu, random: () => bigint): void => {
        bases(cpu, random);
        cpu.setGpr(3, 0x8000_0000_0000n);
      };
      const off = (cpu: Cpu, random: () => bigint): void => {
        bases(cpu, random);
        cpu.cr4 &= ~BigInt(CR4.FSGSBASE);
      };
      return [
        { name: `${row} rbx`, code: `f3 48 0f ae ${modrm(3)}`, row, prepare: bases },
        { name: `${row} ebx`, code: `f3 0f ae ${modrm(3)}`, row, prepare: bases },
        { name: `${row} r13 at CPL 3`, code: `f3 49 0f ae ${modrm(5)}`, row, cpl: 3 as const, prepare: bases },
        { name: `${row} without CR4.FSGSBASE`, code: `f3 48 0f ae ${modrm(3)}`, row, general: true as const, prepare: off },
        ...(n < 2 ? [] : [{ name: `${row} rbx, not canonical`, code: `f3 48 0f ae ${modrm(3)}`, row, general: true as const, prepare: bad }]),
      ];
    }),
    ...[0xc000_0100, 0xc000_0101, 0xc000_0102].flatMap((index) => [
      { name: `RDMSR ${index.toString(16)}`, code: '0f 32', row: 'rdmsr', prepare: msr(index) },
      { name: `WRMSR ${index.toString(16)}`, code: '0f 30', row: 'wrmsr', prepare: msr(index) },
    ]),
    { name: 'WRMSR, not canonical', code: '0f 30', row: 'wrmsr', general: true, prepare: msr(0xc000_0101, false) },
    { name: 'WRMSR of IA32_LSTAR', code: '0f 30', row: 'wrmsr', general: true, prepare: msr(0xc000_0082) },
    { name: 'RDMSR of IA32_EFER', code: '0f 32', row: 'rdmsr', general: true, prepare: msr(0xc000_0080) },
    { name: 'RDMSR of none', code: '0f 32', row: 'rdmsr', general: true, prepare: msr(0xc000_01ff) },
    { name: 'RDMSR at CPL 3', code: '0f 32', row: 'rdmsr', cpl: 3, general: true, prepare: msr(0xc000_0100) },
    { name: 'WRMSR at CPL 3', code: '0f 30', row: 'wrmsr', cpl: 3, general: true, prepare: msr(0xc000_0100) },
    ...[0, 1, 2, 3, 4, 5].map((n) => ({ name: `MOV EBX, segment ${n}`, code: `8c ${(0xc3 | (n << 3)).toString(16)}`, row: 'mov_rm_sreg' })),
    { name: 'MOV BX, SS', code: '66 8c d3', row: 'mov_rm_sreg' },
    { name: 'MOV R14, GS', code: '49 8c ee', row: 'mov_rm_sreg' },
    { name: 'MOV EBX, SS with REX.R', code: '44 8c d3', row: 'mov_rm_sreg' },
    { name: 'MOV EBX, segment 6', code: '8c f3', row: 'mov_rm_sreg', general: true },
    { name: 'MOV [RSI], DS', code: '8c 1e', row: 'mov_rm_sreg', general: true, prepare: (cpu) => cpu.setGpr(6, BigInt(DATA)) },
  ]);
});

describe('time-stamp counter: quick and general', () => {
  const adjusted = (cpu: Cpu, random: () => bigint): void => {
    cpu.setU64(L.TSC_ADJUST, random());
    setMsrSlot(cpu, MsrSlot.tscAux, random() & 0xffff_ffffn);
  };
  const disabled = (cpu: Cpu): void => void (cpu.cr4 |= BigInt(CR4.TSD));
  quickCases([
    { name: 'RDTSC', code: '90 90 90 0f 31', row: 'rdtsc', prepare: adjusted },
    { name: 'RDTSC with CR4.TSD', code: '0f 31', row: 'rdtsc', prepare: disabled },
    { name: 'RDTSC at CPL 3', code: '90 0f 31', row: 'rdtsc', cpl: 3, prepare: adjusted },
    { name: 'RDTSC at CPL 3 with CR4.TSD', code: '0f 31', row: 'rdtsc', cpl: 3, general: true, prepare: disabled },
    { name: 'RDTSC in VMX non-root operation', code: '0f 31', row: 'rdtsc', general: true, prepare: inGuest },
    { name: 'RDTSCP', code: '90 90 0f 01 f9', row: 'rdtscp', prepare: adjusted },
  ]);

  // 1: rdtsc; add ebx, eax; nop; jz 2f; nop; 2: rdtscp; xor ebp, eax; dec edi; jnz 1b; jmp $
  const LOOP = '0f31 01c3 90 7401 90 0f01f9 31c5 ffcf 75ef ebfe';
  const start = (edi: bigint) => (m: ReturnType<typeof bareMachine>) => m.cpus[0]!.setGpr(7, edi);

  it('is exact wherever runs begin and end', () => {
    const [quick, general] = [false, true].map((observed) => {
      const machine = bareMachine({ accel: { mode: 'interp' } });
      if (observed) machine.observe({ interrupt: () => {} });
      machine.memory.poke(CODE, bytes(LOOP));
      start(3_000n)(machine);
      for (let n = 1; n < 200; n++) machine.run(n);
      return cpuState(machine);
    });
    expect(quick).toEqual(general);
  });

  it('is the same in both tiers', () => compare(pair({ 0: LOOP }, start(3_000n)), 60, 2_000));
});
