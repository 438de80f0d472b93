import { describe, expect, it } from 'vitest';
import { CR0, CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { cpuid } from '../../src/machine/cpu/cpuid.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import { controlInstructions } from '../../src/machine/cpu/instructions/index.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { translate } from '../../src/machine/cpu/mmu/walk.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { writePkru } from '../../src/machine/cpu/protection-keys.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { insn } from '../support/insn.ts';
import { enterMode, P, PageTables, U, W } from '../support/page-tables.ts';

const KEY = 5;
const [USER, SUPERVISOR] = [0x1_0000n, 0x1_1000n];
const [AD, WD] = [1 << (KEY * 2), 2 << (KEY * 2)];

function setUp({ cpl = 3, cr0 = CR0.WP as number, cr4 = CR4.PKE as number, flags = P | W | U } = {}): Cpu {
  const machine = fakeMachine({ model: parseCpuModel('skylake,+pku') });
  const tables = new PageTables(machine, '4-level');
  tables.map(USER, 0x2_0000, flags | (BigInt(KEY) << 59n));
  tables.map(SUPERVISOR, 0x2_1000, P | W | (BigInt(KEY) << 59n));
  enterMode(machine.cpu, tables, { cpl, cr0, cr4 });
  return machine.cpu;
}

const outcome = (f: () => unknown): string => {
  try {
    f();
    return 'ok';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return `${e.vector}(${e.errorCode?.toString(16) ?? ''})`;
  }
};

describe('protection keys: SDM Vol. 3, 4.6.2', () => {
  it.each<readonly [string, Parameters<typeof setUp>[0] & { at?: bigint }, number, string, string]>([
    ['no rights taken', {}, 0, 'ok', 'ok'],
    ['another key', {}, 3 << ((KEY + 1) * 2), 'ok', 'ok'],
    ['AD', {}, AD, '14(25)', '14(27)'],
    ['WD', {}, WD, 'ok', '14(27)'],
    ['AD at CPL 0', { cpl: 0 }, AD, '14(21)', '14(23)'],
    ['WD at CPL 0 with CR0.WP', { cpl: 0 }, WD, 'ok', '14(23)'],
    ['WD at CPL 0 without CR0.WP', { cpl: 0, cr0: 0 }, WD, 'ok', 'ok'],
    ['WD at CPL 3 without CR0.WP', { cr0: 0 }, WD, 'ok', '14(27)'],
    ['a supervisor page has no key', { cpl: 0, at: SUPERVISOR }, AD | WD, 'ok', 'ok'],
    ['without CR4.PKE', { cr4: 0 }, AD | WD, 'ok', 'ok'],
    ['a read-only page: the key is named too', { flags: P | U }, WD, 'ok', '14(27)'],
    ['a read-only page that the key allows', { flags: P | U }, 0, 'ok', '14(7)'],
  ])('%s', (_, { at = USER, ...options }, pkru, read, write) => {
    const cpu = setUp(options);
    writePkru(cpu, pkru);
    expect([outcome(() => readLinear(cpu, at, 4)), outcome(() => writeLinear(cpu, at, 4, 1n))]).toEqual([read, write]);
    // In the other order too: what the TLB remembers of one says nothing wrong of the other.
    const again = setUp(options);
    writePkru(again, pkru);
    expect([outcome(() => writeLinear(again, at, 4, 1n)), outcome(() => readLinear(again, at, 4))]).toEqual([write, read]);
  });

  it('fetches are not subject to keys', () => {
    const cpu = setUp();
    writePkru(cpu, AD | WD);
    expect(outcome(() => translate(cpu, USER, { write: false, execute: true, user: true }))).toBe('ok');
  });

  it('a change of PKRU holds at once', () => {
    const cpu = setUp();
    writeLinear(cpu, USER, 4, 1n);
    writePkru(cpu, WD);
    expect(outcome(() => writeLinear(cpu, USER, 4, 2n))).toBe('14(27)');
    writePkru(cpu, 0);
    expect(outcome(() => writeLinear(cpu, USER, 4, 2n))).toBe('ok');
  });
});

describe('RDPKRU and WRPKRU: SDM Vol. 2', () => {
  const run = (cpu: Cpu, name: string): string => outcome(() => controlInstructions[name]!(cpu, insn(name)));
  it.each<readonly [string, string, number, number, number, string]>([
    ['RDPKRU', 'rdpkru', 0, 7, CR4.PKE, 'ok'],
    ['RDPKRU, ECX', 'rdpkru', 1, 0, CR4.PKE, '13(0)'],
    ['RDPKRU without CR4.PKE', 'rdpkru', 1, 0, 0, '6()'],
    ['WRPKRU', 'wrpkru', 0, 0, CR4.PKE, 'ok'],
    ['WRPKRU, ECX', 'wrpkru', 1, 0, CR4.PKE, '13(0)'],
    ['WRPKRU, EDX', 'wrpkru', 0, 1, CR4.PKE, '13(0)'],
    ['WRPKRU without CR4.PKE', 'wrpkru', 0, 1, 0, '6()'],
  ])('%s', (_, name, ecx, edx, cr4, expected) => {
    const cpu = setUp({ cr4 });
    cpu.setGpr(0, 0xffff_ffff_1234_5678n);
    cpu.setGpr(1, BigInt(ecx));
    cpu.setGpr(2, BigInt(edx));
    cpu.setU32(L.PKRU, 0x55);
    expect(run(cpu, name)).toBe(expected);
    if (expected !== 'ok') return;
    expect(cpu.u32(L.PKRU)).toBe(name === 'wrpkru' ? 0x1234_5678 : 0x55);
    if (name === 'rdpkru') expect([cpu.gpr(0), cpu.gpr(2)]).toEqual([0x55n, 0n]);
  });

  it('CPUID shows CR4.PKE', () => {
    expect([0, CR4.PKE].map((cr4) => (cpuid(setUp({ cr4 }), 7, 0).ecx >>> 3) & 3)).toEqual([1, 3]);
  });
});
