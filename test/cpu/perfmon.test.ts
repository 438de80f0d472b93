import { describe, expect, it } from 'vitest';
import { Activity, CR4 } from '../../src/machine/cpu/cpu.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import { controlInstructions } from '../../src/machine/cpu/instructions/index.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { readMsr, resetMsrs, writeMsr } from '../../src/machine/cpu/msr.ts';
import { DeliveryMode, LVT_MASKED, Reg } from '../../src/machine/devices/lapic/registers.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { Entry, Exit } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { insn, Rig } from '../vmx/rig.ts';

const [PMC0, A_PMC0, SELECT0, FIXED0] = [0xc1, 0x4c1, 0x186, 0x309] as const;
const [CAPABILITIES, FIXED_CTRL, STATUS, GLOBAL, RESET, SET, INUSE, DEBUGCTL] = [0x345, 0x38d, 0x38e, 0x38f, 0x390, 0x391, 0x392, 0x1d9] as const;
const [USR, OS, EDGE, INT, ANY, EN, INV] = [1n << 16n, 1n << 17n, 1n << 18n, 1n << 20n, 1n << 21n, 1n << 22n, 1n << 23n] as const;
const [CYCLES, INSTRUCTIONS, REFERENCE] = [0x3cn, 0xc0n, 0x13cn] as const;
const BOTH = USR | OS | EN;
const FIXED_ALL = 7n << 32n;
const FULL = 1n << 48n;

function outcome(f: () => void): string {
  try {
    f();
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return `#${e.vector}(${e.errorCode})`;
  }
}
const GP = '#13(0)';

function processor(model = 'skylake') {
  const machine = fakeMachine({ model: parseCpuModel(model) });
  resetMsrs(machine.cpu);
  return machine.cpu;
}

describe('what CPUID leaf 0AH reports: SDM Vol. 2, CPUID', () => {
  it.each([
    ['penryn', 2, 2, 40],
    ['nehalem', 3, 4, 48],
    ['sandybridge', 3, 4, 48],
    ['haswell', 3, 4, 48],
    ['skylake', 4, 4, 48],
    ['max', 4, 8, 48],
  ])('%s: version %i, %i counters of %i bits', (model, version, counters, width) => {
    const cpu = processor(model);
    const leaf = cpuid(cpu, 0xa, 0);
    expect(leaf).toEqual({ eax: version | (counters << 8) | (width << 16) | (7 << 24), ebx: 0x78, ecx: 0, edx: 3 | (width << 5) });
    expect(readMsr(cpu, GLOBAL), 'all general counters enabled at power-on').toBe((1n << BigInt(counters)) - 1n);
    for (let n = 0; n < 9; n++) {
      const expected = n < counters ? 'ok' : GP;
      expect(
        [PMC0, SELECT0].map((base) => outcome(() => readMsr(cpu, base + n))),
        `counter ${n}`,
      ).toEqual([expected, expected]);
    }
    expect(readMsr(cpu, 0x1a0) & 0x80n, 'IA32_MISC_ENABLE bit 7').toBe(0x80n);
  });

  it('without the feature there is nothing', () => {
    const cpu = processor('skylake,-arch-perfmon');
    expect(cpuid(cpu, 0xa, 0)).toEqual({ eax: 0, ebx: 0, ecx: 0, edx: 0 });
    expect(cpuid(cpu, 1, 0).ecx & (1 << 15), 'PDCM').toBe(0);
    for (const index of [PMC0, A_PMC0, SELECT0, FIXED0, CAPABILITIES, FIXED_CTRL, STATUS, GLOBAL, RESET, SET, INUSE]) {
      expect(
        outcome(() => readMsr(cpu, index)),
        index.toString(16),
      ).toBe(GP);
      expect(
        outcome(() => writeMsr(cpu, index, 0n)),
        index.toString(16),
      ).toBe(GP);
    }
    expect(outcome(() => writeMsr(cpu, DEBUGCTL, 0x1000n))).toBe(GP);
    expect(readMsr(cpu, 0x1a0) & 0x80n).toBe(0n);
  });
});

describe('writes of its MSRs', () => {
  it.each<[string, string, number, bigint, string, bigint?]>([
    ['penryn', 'event select', SELECT0, BOTH | INSTRUCTIONS, 'ok'],
    ['penryn', 'event select, AnyThread', SELECT0, BOTH | ANY, GP],
    ['skylake', 'event select, AnyThread', SELECT0, BOTH | ANY, 'ok'],
    ['skylake', 'event select, bit 32', SELECT0, 1n << 32n, GP],
    ['skylake', 'event select, all bits', SELECT0 + 3, 0xffff_ffffn, 'ok'],
    ['skylake', 'counter, sign-extended', PMC0, 0x1_8000_0000n, 'ok', 0xffff_8000_0000n],
    ['penryn', 'counter, sign-extended to 40 bits', PMC0, 0x8000_0000n, 'ok', 0xff_8000_0000n],
    ['skylake', 'counter, positive', PMC0, 0xffff_ffff_7fff_ffffn, 'ok', 0x7fff_ffffn],
    ['skylake', 'full-width counter', A_PMC0, FULL - 1n, 'ok'],
    ['skylake', 'full-width counter, bit 48', A_PMC0, FULL, GP],
    ['sandybridge', 'full-width counter', A_PMC0, 0n, GP],
    ['skylake', 'fixed counter', FIXED0 + 2, FULL - 1n, 'ok'],
    ['skylake', 'fixed counter, bit 48', FIXED0, FULL, GP],
    ['penryn', 'fixed counter, bit 40', FIXED0, 1n << 40n, GP],
    ['skylake', 'fourth fixed counter', FIXED0 + 3, 0n, GP],
    ['skylake', 'fixed control', FIXED_CTRL, 0xfffn, 'ok'],
    ['skylake', 'fixed control, bit 12', FIXED_CTRL, 0x1000n, GP],
    ['penryn', 'fixed control', FIXED_CTRL, 0xbbbn, 'ok'],
    ['penryn', 'fixed control, AnyThread', FIXED_CTRL, 4n, GP],
    ['skylake', 'global control', GLOBAL, FIXED_ALL | 0xfn, 'ok'],
    ['skylake', 'global control, fifth counter', GLOBAL, 0x10n, GP],
    ['max', 'global control, eighth counter', GLOBAL, 0x80n, 'ok'],
    ['skylake', 'global control, fourth fixed counter', GLOBAL, 8n << 32n, GP],
    ['penryn', 'global control', GLOBAL, FIXED_ALL | 3n, 'ok'],
    ['penryn', 'global control, third counter', GLOBAL, 4n, GP],
    ['skylake', 'global status is read-only', STATUS, 0n, GP],
    ['skylake', 'status reset', RESET, 0xec00_0007_0000_000fn, 'ok', 0n],
    ['skylake', 'status reset, fifth counter', RESET, 0x10n, GP],
    ['haswell', 'status reset, bits of version 4', RESET, 1n << 59n, GP],
    ['penryn', 'status reset, bit 63', RESET, 1n << 63n, 'ok', 0n],
    ['penryn', 'status reset, uncore', RESET, 1n << 61n, GP],
    ['skylake', 'status set, bit 63', SET, 1n << 63n, GP],
    ['haswell', 'status set', SET, 0n, GP],
    ['haswell', 'in use', INUSE, 0n, GP],
    ['skylake', 'in use is read-only', INUSE, 0n, GP],
    ['skylake', 'capabilities are read-only', CAPABILITIES, 0x2000n, GP],
    ['skylake', 'DEBUGCTL.FREEZE_PERFMON_ON_PMI', DEBUGCTL, 0x1000n, 'ok'],
  ])('%s: %s', (model, _, index, value, expected, reads = value) => {
    const cpu = processor(model);
    expect(outcome(() => writeMsr(cpu, index, value))).toBe(expected);
    if (expected === 'ok') expect(readMsr(cpu, index).toString(16)).toBe(reads.toString(16));
  });

  it('IA32_A_PMCx is IA32_PMCx; the capabilities say that it is there', () => {
    const cpu = processor();
    writeMsr(cpu, A_PMC0 + 1, 0x1234_5678_9abcn);
    expect(readMsr(cpu, PMC0 + 1)).toBe(0x1234_5678_9abcn);
    expect(readMsr(cpu, CAPABILITIES)).toBe(1n << 13n);
  });

  it('status bits are set and reset; "in use" follows the selects', () => {
    const cpu = processor();
    writeMsr(cpu, SET, 0x3_0000_0005n);
    writeMsr(cpu, RESET, 0x1_0000_0001n);
    expect(readMsr(cpu, STATUS)).toBe(0x2_0000_0004n);
    expect(readMsr(cpu, INUSE)).toBe(0n);
    writeMsr(cpu, SELECT0 + 2, INSTRUCTIONS);
    writeMsr(cpu, FIXED_CTRL, 0x20n);
    expect(readMsr(cpu, INUSE)).toBe(0x2_0000_0004n);
    writeMsr(cpu, FIXED_CTRL, 0x80n);
    expect(readMsr(cpu, INUSE)).toBe((1n << 63n) | 4n);
  });
});

describe('RDPMC: SDM Vol. 2', () => {
  it.each<[string, { cpl?: number; cr4?: number; real?: boolean; model?: string; which: number }, string]>([
    ['a general counter', { which: 3 }, '103'],
    ['one that is not there', { which: 4 }, GP],
    ['a fixed counter', { which: 0x4000_0002 }, '202'],
    ['a fixed one that is not there', { which: 0x4000_0003 }, GP],
    ['fast reads are of the Pentium 4', { which: 0x8000_0000 }, GP],
    ['CPL 3', { which: 0, cpl: 3 }, GP],
    ['CPL 3 with CR4.PCE', { which: 0, cpl: 3, cr4: CR4.PCE }, '100'],
    ['real mode', { which: 1, real: true }, '101'],
    ['penryn, third counter', { which: 2, model: 'penryn' }, GP],
    ['no counters', { which: 0, model: 'skylake,-arch-perfmon' }, GP],
  ])('%s', (_, { cpl = 0, cr4 = 0, real = false, model = 'skylake', which }, expected) => {
    const cpu = processor(model);
    if (model === 'skylake') {
      for (let n = 0; n < 4; n++) writeMsr(cpu, PMC0 + n, 0x100n + BigInt(n));
      for (let n = 0; n < 3; n++) writeMsr(cpu, FIXED0 + n, 0x200n + BigInt(n));
    }
    cpu.cr0 = real ? 0n : 1n;
    cpu.cr4 = BigInt(cr4);
    cpu.setU32(L.CPL, cpl);
    cpu.setGpr(0, -1n);
    cpu.setGpr(2, -1n);
    cpu.setGpr32(1, which);
    const got = outcome(() => controlInstructions['rdpmc']!(cpu, insn('rdpmc')));
    expect(got === 'ok' ? ((cpu.gpr(2) << 32n) | cpu.gpr(0)).toString(16) : got).toBe(expected);
  });
});

/** Code at CODE, then HLT. General counters 0-2 count cycles, instructions and reference cycles; the fixed ones are on too. */
function counting(hex: string, more: { accel?: Parameters<typeof bareMachine>[0]; select?: bigint } = {}): Machine {
  const machine = bareMachine(more.accel ?? {});
  const cpu = machine.cpus[0]!;
  machine.memory.poke(CODE, Uint8Array.of(...Buffer.from(hex.replaceAll(' ', ''), 'hex'), 0xf4));
  for (const [n, event] of [CYCLES, INSTRUCTIONS, REFERENCE].entries()) writeMsr(cpu, SELECT0 + n, (more.select ?? BOTH) | event);
  writeMsr(cpu, FIXED_CTRL, 0x333n);
  writeMsr(cpu, GLOBAL, FIXED_ALL | 0xfn);
  return machine;
}
const general = ({ cpus }: Machine): number[] => [0, 1, 2].map((n) => Number(readMsr(cpus[0]!, PMC0 + n)));
const fixed = ({ cpus }: Machine): number[] => [0, 1, 2].map((n) => Number(readMsr(cpus[0]!, FIXED0 + n)));

describe.each([
  ['tier 0', { mode: 'interp' }],
  ['tier 1', { mode: 'jit', threshold: 1 }],
] as const)('what is counted, %s', (_, accel) => {
  // dec ecx; jnz
  const LOOP = 'b9 e8030000 ff c9 75 fc';

  it('one cycle and one instruction a tick, and none while halted', () => {
    const machine = counting(LOOP, { accel: { accel } });
    machine.run(100_000);
    const n = 1 + 2 * 1000 + 1;
    expect(machine.cpus[0]!.activity).toBe(Activity.hlt);
    expect([general(machine), fixed(machine)]).toEqual([[n, n, n], [n, n, n]]); // prettier-ignore
    machine.run(1000);
    expect(general(machine)).toEqual([n, n, n]);
  });

  it.each([1, 7, 63, 64, 65, 500])('read after each %i ticks', (quantum) => {
    const machine = counting(LOOP, { accel: { accel } });
    for (let at = quantum; at < 2000; at += quantum) {
      machine.run(quantum);
      expect(general(machine)).toEqual([at, at, at]);
    }
  });

  it.each([
    ['REP STOSB', 'f3 aa', 77, 3],
    ['REP STOSQ', 'f3 48 ab', 77, 3],
    ['REP MOVSB', 'f3 a4', 77, 3],
    ['REP LODSB', 'f3 ac', 77, 3],
    ['REPNE SCASB', 'f2 ae', 77, 3],
    ['REPE CMPSB, ended by ZF', 'f3 a6', 201, 3],
    ['with rCX = 0', '31 c9 f3 aa', 1, 4],
    ['downwards', 'fd f3 aa', 77, 4],
    ['with 32-bit addresses', '67 f3 aa', 77, 3],
  ])('%s retires once, whatever the budget', (_name, hex, iterations, instructions) => {
    for (const quantum of [1, 10, 64, 1000]) {
      const compares = hex === 'f3 a6';
      const machine = counting(`b9 ${compares ? '00100000' : '4d000000'} ${hex}`, { accel: { accel } });
      const cpu = machine.cpus[0]!;
      if (compares) machine.memory.poke(DATA + 600, Uint8Array.of(1)); // the byte at rSI + 200
      cpu.setGpr(7, BigInt(DATA + 200));
      cpu.setGpr(6, BigInt(DATA + 400));
      cpu.setGpr(0, 1n);
      while (cpu.activity !== Activity.hlt) machine.run(quantum);
      expect(general(machine).slice(0, 2), `quantum ${quantum}`).toEqual([instructions + iterations - 1, instructions]);
    }
  });

  it('a fault and its delivery retire nothing', () => {
    const machine = counting('0f 0b', { accel: { accel } });
    machine.memory.write64(0x6000 + 6 * 16, 0x0010_8e00_0008_1000n);
    machine.memory.write64(0x6000 + 6 * 16 + 8, 0n);
    machine.memory.poke(CODE + 0x1000, Uint8Array.of(0x90, 0xf4));
    const cpu = machine.cpus[0]!;
    cpu.setU64(L.IDTR_BASE, 0x6000n);
    cpu.setU32(L.IDTR_LIMIT, 0xfff);
    machine.run(1000);
    expect(cpu.activity).toBe(Activity.hlt);
    expect(general(machine).slice(0, 2)).toEqual([3, 2]);
  });

  it.each<[string, bigint, bigint, number]>([
    ['no ring', EN, INSTRUCTIONS, 0],
    ['not enabled', OS | USR, INSTRUCTIONS, 0],
    ['ring 3 only, at ring 0', EN | USR, INSTRUCTIONS, 0],
    ['ring 0 only, at ring 0', EN | OS, INSTRUCTIONS, 2002],
    ['at least one a cycle', BOTH | (1n << 24n), INSTRUCTIONS, 2002],
    ['at least two a cycle', BOTH | (2n << 24n), INSTRUCTIONS, 0],
    ['fewer than two a cycle: all cycles', BOTH | INV | (2n << 24n), INSTRUCTIONS, 2002],
    ['fewer than one a cycle', BOTH | INV | (1n << 24n), INSTRUCTIONS, 0],
    ['inversion without a mask', BOTH | INV, INSTRUCTIONS, 2002],
    ['edges', BOTH | EDGE, INSTRUCTIONS, 0],
    ['branches', BOTH, 0xc4n, 0],
    ['last-level cache misses', BOTH, 0x412en, 0],
  ])('%s', (_name, select, event, expected) => {
    const machine = counting(LOOP, { accel: { accel } });
    writeMsr(machine.cpus[0]!, SELECT0 + 3, select | event);
    machine.run(100_000);
    expect(readMsr(machine.cpus[0]!, PMC0 + 3)).toBe(BigInt(expected));
  });

  it('the rings apart: an instruction that changes the level counts at the new one', () => {
    // lea rcx, [rip+5]; sysretq; (ring 3:) nop x 10; syscall; (LSTAR:) nop x 4; hlt
    const machine = counting('48 8d 0d 03000000 48 0f 07 90909090909090909090 0f 05', { accel: { accel }, select: EN | USR });
    const cpu = machine.cpus[0]!;
    machine.memory.poke(CODE + 0x1000, Uint8Array.of(0x90, 0x90, 0x90, 0x90, 0xf4));
    writeMsr(cpu, 0xc000_0081, (0x10n << 48n) | (8n << 32n));
    writeMsr(cpu, 0xc000_0082, BigInt(CODE + 0x1000));
    cpu.setGpr(11, 2n);
    writeMsr(cpu, SELECT0 + 3, EN | OS | INSTRUCTIONS);
    writeMsr(cpu, FIXED_CTRL, 0x321n);
    machine.run(1000);
    expect(cpu.activity).toBe(Activity.hlt);
    const [ring3, ring0] = [1 + 10, 1 + 1 + 4 + 1];
    expect([...general(machine), Number(readMsr(cpu, PMC0 + 3))]).toEqual([ring3, ring3, ring3, ring0]);
    expect(fixed(machine)).toEqual([ring0, ring3, ring0 + ring3]);
  });
});

describe('overflow', () => {
  const NOPS = '90'.repeat(40) + 'eb d6'; // 40 NOPs and a jump back
  /** The LVT entry asks for an NMI, which only has to be seen pending. */
  function overflowing(left: number, lvt: number = DeliveryMode.nmi << 8, options: Parameters<typeof bareMachine>[0] = {}): Machine {
    const machine = counting(NOPS, { accel: options });
    for (const lapic of machine.devices.lapics) {
      lapic.writeRegister(Reg.SVR, 0x1ff);
      lapic.writeRegister(Reg.LVT_PERF, lvt);
    }
    const cpu = machine.cpus[0]!;
    writeMsr(cpu, SELECT0, BOTH | INT | INSTRUCTIONS);
    writeMsr(cpu, PMC0, BigInt(-left));
    return machine;
  }
  const nmi = (machine: Machine): boolean => (machine.cpus[0]!.pending & L.Pending.nmi) !== 0;

  it.each([1, 2, 63, 64, 65, 1000, 5000])('after %i instructions exactly: status bit, NMI through the LVT, which gets masked', (left) => {
    const machine = overflowing(left);
    const cpu = machine.cpus[0]!;
    if (left > 1) machine.run(left - 1);
    expect([nmi(machine), readMsr(cpu, STATUS)]).toEqual([false, 0n]);
    expect(cpu.retired).toBe(BigInt(left - 1));
    machine.step(0);
    expect([nmi(machine), readMsr(cpu, STATUS), readMsr(cpu, PMC0)]).toEqual([true, 1n, 0n]);
    expect(machine.devices.lapics[0]!.readRegister(Reg.LVT_PERF)).toBe(LVT_MASKED | (DeliveryMode.nmi << 8));
  });

  it('a fixed vector goes to the IRR', () => {
    const machine = overflowing(10, 0x40);
    machine.run(10);
    expect(machine.devices.lapics[0]!.pending()).toBe(0x40);
  });

  it('a masked entry, or no INT bit: the status bit alone', () => {
    const masked = overflowing(10, LVT_MASKED | 0x40);
    masked.run(100);
    expect([readMsr(masked.cpus[0]!, STATUS), masked.devices.lapics[0]!.pending()]).toEqual([1n, -1]);
    const quiet = overflowing(10, 0x40);
    writeMsr(quiet.cpus[0]!, SELECT0, BOTH | INSTRUCTIONS);
    quiet.run(100);
    expect([readMsr(quiet.cpus[0]!, STATUS), quiet.devices.lapics[0]!.pending()]).toEqual([1n, -1]);
    expect(quiet.clock.nextDeadline()).toBe(Infinity);
  });

  it('a fixed counter', () => {
    const machine = overflowing(1_000_000);
    const cpu = machine.cpus[0]!;
    writeMsr(cpu, FIXED_CTRL, 0x3b3n);
    writeMsr(cpu, FIXED0 + 1, FULL - 20n);
    machine.run(19);
    expect(nmi(machine)).toBe(false);
    machine.run(1);
    expect([nmi(machine), readMsr(cpu, STATUS)]).toEqual([true, 2n << 32n]);
  });

  it('stops being due when the counter is turned off, or written', () => {
    const machine = overflowing(100);
    const cpu = machine.cpus[0]!;
    expect(machine.clock.nextDeadline()).toBe(100);
    writeMsr(cpu, GLOBAL, 0n);
    expect(machine.clock.nextDeadline()).toBe(Infinity);
    machine.run(50);
    writeMsr(cpu, GLOBAL, 1n);
    expect(machine.clock.nextDeadline()).toBe(150);
    machine.run(50);
    writeMsr(cpu, PMC0, BigInt(-60));
    machine.run(59);
    expect(nmi(machine)).toBe(false);
    machine.run(1);
    expect(nmi(machine)).toBe(true);
  });

  it('events that no instruction retires with make it later, not wrong', () => {
    const machine = overflowing(12, 0x40);
    const cpu = machine.cpus[0]!;
    // mov ecx, 9; rep stosb; nop ...
    machine.memory.poke(CODE, Uint8Array.of(0xb9, 9, 0, 0, 0, 0xf3, 0xaa));
    cpu.setGpr(7, BigInt(DATA));
    machine.run(12 + 7);
    expect(readMsr(cpu, STATUS)).toBe(0n);
    machine.run(1);
    expect(readMsr(cpu, STATUS)).toBe(1n);
  });

  it('a processor that halts just before: no deadline runs in vain, and the count goes on when it wakes', () => {
    const machine = overflowing(5);
    const cpu = machine.cpus[0]!;
    machine.memory.poke(CODE, Uint8Array.of(0xf4, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90)); // hlt; nop ...
    expect(machine.run(1000).kind).toBe('idle');
    while (machine.clock.nextDeadline() !== Infinity) machine.run(10);
    expect(readMsr(cpu, STATUS)).toBe(0n);
    cpu.activity = Activity.active;
    machine.run(3);
    expect([nmi(machine), readMsr(cpu, PMC0)]).toEqual([false, FULL - 1n]);
    machine.run(1);
    expect([nmi(machine), readMsr(cpu, STATUS)]).toEqual([true, 1n]);
  });

  it.each([
    ['skylake', 'by bit 59 of the status', 0x0800_0000_0000_0001n, 0x7_0000_000fn],
    ['haswell', 'by clearing IA32_PERF_GLOBAL_CTRL', 1n, 0n],
  ])('FREEZE_PERFMON_ON_PMI on %s, %s', (model, _, status, control) => {
    const machine = overflowing(10, 0x40, { model: cpuModel(model)! });
    const cpu = machine.cpus[0]!;
    writeMsr(cpu, DEBUGCTL, 0x1000n);
    machine.run(1000);
    expect([readMsr(cpu, STATUS), readMsr(cpu, GLOBAL), readMsr(cpu, PMC0), readMsr(cpu, FIXED0)]).toEqual([status, control, 0n, 10n]);
    writeMsr(cpu, RESET, status);
    writeMsr(cpu, GLOBAL, 1n);
    machine.run(7);
    expect([readMsr(cpu, STATUS), readMsr(cpu, PMC0)]).toEqual([0n, 7n]);
  });

  it.each([1, 100, 4096, 9000])('of the second of two processors, after %i of its instructions', (left) => {
    for (const quantum of [1 << 20, 777]) {
      const machine = overflowing(1 << 30, DeliveryMode.nmi << 8, { cpus: 2 });
      const second = machine.cpus[1]!;
      second.activity = Activity.active;
      writeMsr(second, FIXED_CTRL, 0xb0n);
      writeMsr(second, FIXED0 + 1, FULL - BigInt(left));
      writeMsr(second, GLOBAL, FIXED_ALL);
      second.setU64(L.IDTR_BASE, 0x6000n); // the NMI has a handler that halts
      second.setU32(L.IDTR_LIMIT, 0xfff);
      machine.memory.write64(0x6020, 0x0010_8e00_0008_1000n);
      machine.memory.write64(0x6028, 0n);
      machine.memory.poke(CODE + 0x1000, Uint8Array.of(0xf4));
      while (second.activity === Activity.active) machine.run(Math.min(quantum, 20_000));
      // The instructions before the overflow, the delivery, HLT.
      expect(second.retired, `quantum ${quantum}`).toBe(BigInt(left + 2));
    }
  });

  it('is in a snapshot', () => {
    const machine = overflowing(100, 0x40);
    machine.run(60);
    const snapshot = machine.snapshot();
    const other = bareMachine();
    other.restore(snapshot);
    other.run(39);
    expect(other.devices.lapics[0]!.pending()).toBe(-1);
    other.run(1);
    expect([other.devices.lapics[0]!.pending(), general(other)[1]]).toEqual([0x40, 100]);
  });

  it('power-on forgets it', () => {
    const machine = overflowing(100, 0x40);
    machine.run(60);
    machine.reset();
    expect(machine.clock.nextDeadline()).toBe(Infinity);
    expect(readMsr(machine.cpus[0]!, PMC0)).toBe(0n);
  });
});

describe('VMX: "load IA32_PERF_GLOBAL_CTRL" switches the counters', () => {
  const retire = ({ cpu }: Rig, n: bigint): void => cpu.setU64(L.RETIRED, cpu.retired + n);

  function switched(entry: boolean, exit: boolean): bigint[] {
    const rig = new Rig();
    const { cpu } = rig;
    rig.inGuest((r) => {
      for (const [n, select] of [INSTRUCTIONS, INSTRUCTIONS].entries()) writeMsr(cpu, SELECT0 + n, BOTH | select);
      writeMsr(cpu, GLOBAL, 1n);
      r.bits(F.entryControls, entry ? Entry.loadPerfGlobalCtrl : 0);
      r.bits(F.exitControls, exit ? Exit.loadPerfGlobalCtrl : 0);
      r.set(F.guestPerfGlobalCtrl, 2);
      r.set(F.hostPerfGlobalCtrl, 1);
      retire(rig, 10n);
    });
    retire(rig, 200n);
    rig.run(insn('cpuid', { length: 2 }));
    retire(rig, 3000n);
    return [readMsr(cpu, PMC0), readMsr(cpu, PMC0 + 1), readMsr(cpu, GLOBAL)];
  }

  it.each([
    [false, false, [3210n, 0n, 1n]],
    [true, false, [10n, 3200n, 2n]],
    [false, true, [3210n, 0n, 1n]],
    [true, true, [3010n, 200n, 1n]],
  ] as const)('on entry %s, on exit %s', (entry, exit, expected) => {
    expect(switched(entry, exit)).toEqual(expected);
  });

  it('a model without counters does not offer the controls', () => {
    for (const index of [0x483, 0x484, 0x48f, 0x490]) {
      const bit = index === 0x483 || index === 0x48f ? 1n << 44n : 1n << 45n;
      expect(readMsr(processor('skylake'), index) & bit).toBe(bit);
      expect(readMsr(processor('skylake,-arch-perfmon'), index) & bit).toBe(0n);
    }
  });
});
