import { describe, expect, it } from 'vitest';
import { CR4 } from '../../src/machine/cpu/cpu.ts';
import { readDebugRegister, writeDebugRegister } from '../../src/machine/cpu/debug-registers.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { fakeMachine } from '../support/fake-machine.ts';

describe('SDM Vol. 3, 17.2', () => {
  it.each<[number, bigint, bigint]>([
    [0, 0xffff_8000_0000_1234n, 0xffff_8000_0000_1234n],
    [3, 1n, 1n],
    [6, 0n, 0xffff_0ff0n],
    [6, 0xffff_ffffn, 0xffff_efffn],
    [4, 0xfn, 0xffff_0fffn],
    [7, 0n, 0x400n],
    [7, 0xffff_dfffn, 0xffff_07ffn],
    [5, 0x155n, 0x555n],
  ])('DR%i written %s reads %s', (n, value, expected) => {
    const { cpu } = fakeMachine();
    writeDebugRegister(cpu, n, value);
    expect(readDebugRegister(cpu, n)).toBe(expected);
    if (n === 4 || n === 5) expect(readDebugRegister(cpu, n + 2)).toBe(expected);
  });

  it.each<[string, number, bigint, { cpl?: number; cr4?: number; dr7?: bigint }, number]>([
    ['DR6 bits 63:32', 6, 1n << 32n, {}, 13],
    ['DR7 bits 63:32', 7, 1n << 32n, {}, 13],
    ['CPL 3', 0, 0n, { cpl: 3 }, 13],
    ['DR4 with CR4.DE', 4, 0n, { cr4: CR4.DE }, 6],
    ['DR5 with CR4.DE, CPL 3', 5, 0n, { cr4: CR4.DE, cpl: 3 }, 6],
    ['DR8', 8, 0n, {}, 6],
    ['DR7.GD', 0, 0n, { dr7: 0x2000n }, 1],
    ['DR7.GD at CPL 3', 0, 0n, { dr7: 0x2000n, cpl: 3 }, 13],
  ])('%s faults', (_, n, value, { cpl = 0, cr4 = 0, dr7 = 0x400n }, vector) => {
    const { cpu } = fakeMachine();
    cpu.setU32(L.CPL, cpl);
    cpu.cr4 = BigInt(cr4);
    cpu.setDr(7, dr7);
    let thrown: unknown;
    try {
      writeDebugRegister(cpu, n, value);
    } catch (e) {
      thrown = e;
    }
    expect(thrown).toBeInstanceOf(GuestFault);
    expect((thrown as GuestFault).vector).toBe(vector);
    expect((cpu.u64(L.PENDING_DEBUG) & 0x2000n) !== 0n).toBe(vector === 1); // BD will say why
  });
});
