import { describe, expect, it } from 'vitest';
import { ABANDONED, GuestFault } from '../../src/machine/cpu/fault.ts';
import type { Access } from '../../src/machine/cpu/hooks.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { peekTranslate, translate } from '../../src/machine/cpu/mmu/walk.ts';
import { Secondary } from '../../src/machine/vmx/controls.ts';
import { describeEpt } from '../../src/machine/vmx/describe.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, insn, memory, Rig } from './rig.ts';

const PAGE = 0x80_0000; // guest-physical, mapped by the PDE below
const PDE = At.ept + 0x2000 + 4 * 8;
const PT = At.ept + 0x3000;
const PTE = PT;
const R: Access = { write: false, execute: false, user: false };
const W: Access = { write: true, execute: false, user: false };
const X: Access = { write: false, execute: true, user: false };

/** A guest under EPT; `entry` is the 4-KByte EPT entry of PAGE. */
function guest(entry: bigint, options: { readonly model?: string; readonly pointerBits?: bigint } = {}): Rig {
  return new Rig(options.model).inGuest((rig) => {
    rig.ept({ pointerBits: options.pointerBits ?? 0n });
    rig.machine.memory.write64(PDE, BigInt(PT) | 7n);
    rig.machine.memory.write64(PTE, entry);
  });
}

/** The result of an access through the guest's own page tables. */
function access(rig: Rig, how: Access, linear = BigInt(PAGE)): number | 'exit' | GuestFault {
  try {
    return translate(rig.cpu, linear, how);
  } catch (e) {
    if (e === ABANDONED) return 'exit';
    if (e instanceof GuestFault) return e;
    throw e;
  }
}

describe('permissions (SDM Vol. 3, 29.3.3.2)', () => {
  const permissions = [0, 1, 3, 4, 5, 7];
  const kinds = [
    ['read', R, 1],
    ['write', W, 2],
    ['fetch', X, 4],
  ] as const;
  const matrix = permissions.flatMap((p) => kinds.map(([name, how, bit]) => [name, p, how, bit] as const));
  it.each(matrix)('%s with permissions %d', (_, p, how, bit) => {
    const rig = guest(BigInt(PAGE) | 0x30n | BigInt(p));
    const result = access(rig, how, BigInt(PAGE + 0x123));
    if ((p & bit) !== 0) {
      expect(result).toBe(PAGE + 0x123);
      return;
    }
    expect(result).toBe('exit');
    expect(rig.get(F.exitReason)).toBe(48n);
    expect(rig.get(F.exitQualification)).toBe(BigInt(bit | (p << 3) | 0x780));
    expect(rig.get(F.guestPhysicalAddress)).toBe(BigInt(PAGE + 0x123));
    expect(rig.get(F.guestLinearAddress)).toBe(BigInt(PAGE + 0x123));
    expect(rig.get(F.guestRflags) & 0x1_0000n).toBe(0x1_0000n);
    expect(rig.get(F.exitInstructionLength)).toBe(0n);
  });

  it('permissions are the AND over all levels', () => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    rig.machine.memory.write64(PDE, BigInt(PT) | 1n);
    expect(access(rig, W)).toBe('exit');
    expect(rig.get(F.exitQualification)).toBe(0x78an);
  });

  it('an access to a guest paging structure: bit 8 is 0', () => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    const cr3 = Number(rig.cpu.cr3); // 0x100000: move its 2-MByte page out of reach
    rig.machine.memory.write64(At.ept + 0x2000, 0n);
    expect(access(rig, R)).toBe('exit');
    expect(rig.get(F.exitQualification)).toBe(0x81n);
    expect(rig.get(F.guestPhysicalAddress)).toBe(BigInt(cr3));
    expect(rig.get(F.guestLinearAddress)).toBe(BigInt(PAGE));
  });

  it('setting an accessed flag in a read-only guest table is a read and write', () => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    rig.machine.memory.write64(At.ept + 0x2000, 0xb1n); // all page tables are below 2 MiB
    expect(access(rig, R)).toBe('exit');
    expect(rig.get(F.exitQualification)).toBe(0x8bn);
  });

  it('a guest page fault comes before a violation of the final address', () => {
    const rig = guest(0n);
    const fault = access(rig, R, 0x4000_0000n);
    expect(fault).toBeInstanceOf(GuestFault);
    expect(rig.cpu.guest).not.toBeNull();
  });

  it('a violation outside any linear address: PDPTEs loaded by MOV to CR3', () => {
    const rig = new Rig().inGuest((r) => {
      r.ept();
      r.secondary(Secondary.unrestrictedGuest);
      r.bits(F.entryControls, 0, 0x200);
      r.set(F.guestCsAccessRights, 0xc09b);
      r.set(F.guestCr3, 0xf0_0000);
    });
    rig.cpu.setGpr(0, 0x1000_0000n);
    expect(rig.run(insn('mov_cr_r', { reg: 3, rm: 0, mode: 32 }))).toBe('exit 48');
    expect(rig.get(F.exitQualification)).toBe(1n);
    expect(rig.get(F.guestPhysicalAddress)).toBe(0x1000_0000n);
  });
});

describe('misconfigurations (SDM Vol. 3, 29.3.3.1)', () => {
  type Case = readonly [name: string, put: (rig: Rig) => void, model: string];
  const pte =
    (value: bigint): ((rig: Rig) => void) =>
    (rig) =>
      rig.machine.memory.write64(PTE, value);
  const pde =
    (value: bigint): ((rig: Rig) => void) =>
    (rig) =>
      rig.machine.memory.write64(PDE, value);
  const pdpte =
    (value: bigint): ((rig: Rig) => void) =>
    (rig) =>
      rig.machine.memory.write64(At.ept + 0x1000, value);
  const cases: readonly Case[] = [
    ['write-only', pte(BigInt(PAGE) | 0x32n), 'skylake'],
    ['write and execute', pte(BigInt(PAGE) | 0x36n), 'skylake'],
    ['execute-only where not supported', pte(BigInt(PAGE) | 0x34n), 'nehalem'],
    ['address beyond the width', pte((1n << 39n) | 0x37n), 'skylake'],
    ['memory type 2', pte(BigInt(PAGE) | 0x17n), 'skylake'],
    ['memory type 3', pte(BigInt(PAGE) | 0x1fn), 'skylake'],
    ['memory type 7', pte(BigInt(PAGE) | 0x3fn), 'skylake'],
    ['reserved bits of a 2-MByte page', pde(BigInt(PAGE) | 0x1000n | 0xb7n), 'skylake'],
    ['reserved bit 3 of a table reference', pde(BigInt(PT) | 0xfn), 'skylake'],
    ['1-GByte page where not supported', pdpte(0xb7n), 'nehalem'],
    ['reserved bits of a 1-GByte page', pdpte(0x20_00b7n), 'skylake'],
    ['bit 7 of a PML4 entry', (rig) => rig.machine.memory.write64(At.ept, BigInt(At.ept + 0x1000) | 0x87n), 'skylake'],
  ];
  it.each(cases)('%s', (_, put, model) => {
    const rig = guest(BigInt(PAGE) | 0x37n, { model });
    put(rig);
    expect(access(rig, R)).toBe('exit');
    expect(rig.get(F.exitReason)).toBe(49n);
    expect(rig.get(F.exitQualification)).toBe(0n);
    expect(rig.machine.messages.join()).toContain('EPT misconfiguration');
  });

  it.each([0n, 1n, 4n, 5n, 6n])('memory type %d is valid', (type) => {
    expect(access(guest(BigInt(PAGE) | 7n | (type << 3n)), R)).toBe(PAGE);
  });

  it.each([
    ['4 KiB', (_: Rig) => {}, PAGE + 0x123],
    ['2 MiB', (rig: Rig) => rig.machine.memory.write64(PDE, 0x20_0000n | 0xb7n), 0x20_0123],
    ['1 GiB', (rig: Rig) => rig.machine.memory.write64(At.ept + 0x1000, 0xb7n), PAGE + 0x123],
  ])('pages of %s', (_, put, physical) => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    put(rig);
    expect(access(rig, R, BigInt(PAGE + 0x123))).toBe(physical);
  });
});

describe('accessed and dirty flags for EPT (SDM Vol. 3, 29.3.5)', () => {
  const AD = { pointerBits: 0x40n };
  const flags = (rig: Rig, at: number): bigint => rig.machine.memory.read64(at) & 0x300n;

  it('a read sets accessed, a write dirty too', () => {
    const rig = guest(BigInt(PAGE) | 0x37n, AD);
    expect(access(rig, R)).toBe(PAGE);
    expect([At.ept, At.ept + 0x1000, PDE, PTE].map((at) => flags(rig, at))).toEqual([0x100n, 0x100n, 0x100n, 0x100n]);
    expect(access(rig, W)).toBe(PAGE);
    expect([PDE, PTE].map((at) => flags(rig, at))).toEqual([0x100n, 0x300n]);
  });

  it('guest paging structures count as written', () => {
    const rig = guest(BigInt(PAGE) | 0x37n, AD);
    access(rig, R);
    expect(flags(rig, At.ept + 0x2000)).toBe(0x300n);
    const denied = guest(BigInt(PAGE) | 0x37n, AD);
    denied.machine.memory.write64(At.ept + 0x2000, 0xb1n);
    expect(access(denied, R)).toBe('exit');
    expect(denied.get(F.exitQualification)).toBe(0x8bn);
  });

  it('are left alone when not enabled', () => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    access(rig, W);
    expect([At.ept, PDE, PTE].map((at) => flags(rig, at))).toEqual([0n, 0n, 0n]);
  });
});

describe('the debugger', () => {
  it('looks through EPT without side effects', () => {
    const rig = guest(0x90_0000n | 0x30n | 4n, { pointerBits: 0x40n });
    expect(peekTranslate(rig.cpu, BigInt(PAGE + 5))).toBe(0x90_0005);
    expect(rig.machine.memory.read64(PTE) & 0x300n).toBe(0n);
    rig.machine.memory.write64(PTE, 0n);
    expect(peekTranslate(rig.cpu, BigInt(PAGE))).toBeUndefined();
    expect(rig.cpu.guest).not.toBeNull();
  });

  it('is shown the walk', () => {
    const rig = guest(BigInt(PAGE) | 0x33n);
    const eptp = rig.get(F.eptPointer);
    expect(describeEpt(rig.cpu, eptp, PAGE + 4)).toContain(`physical 0x${(PAGE + 4).toString(16)}, rw-, page of 4 KiB`);
    expect(describeEpt(rig.cpu, eptp, 0x10_0000_0000)).toContain('not mapped');
    rig.machine.memory.write64(PTE, 2n);
    expect(describeEpt(rig.cpu, eptp, PAGE)).toContain('misconfigured: writable but not readable');
  });
});

describe('TLB', () => {
  const remap = (rig: Rig): void => rig.machine.memory.write64(PTE, 0x90_0000n | 0x37n);
  const prepared = (secondary: number): Rig => {
    const rig = guest(BigInt(PAGE) | 0x37n);
    rig.secondary(secondary);
    rig.set(F.vpid, 1);
    rig.machine.memory.write64(PAGE, 0x11n);
    rig.machine.memory.write64(0x90_0000, 0x22n);
    rig.run(insn('cpuid'));
    expect(rig.run(insn('vmresume'))).toBe('ok');
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x11n);
    return rig;
  };

  it('without VPID a VM entry flushes the guest', () => {
    const rig = prepared(0);
    remap(rig);
    rig.run(insn('cpuid'));
    rig.run(insn('vmresume'));
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x22n);
  });

  it.each([
    ['invept', 1n, (rig: Rig) => rig.get(F.eptPointer)],
    ['invept', 2n, () => 0n],
    ['invvpid', 0n, () => 1n],
    ['invvpid', 1n, () => 1n],
    ['invvpid', 2n, () => 0n],
    ['invvpid', 3n, () => 1n],
  ] as const)('with VPID %s type %d flushes it', (name, type, low) => {
    const rig = prepared(Secondary.enableVpid);
    remap(rig);
    rig.run(insn('cpuid'));
    rig.machine.memory.write64(At.operand, low(rig));
    rig.machine.memory.write64(At.operand + 8, 0n);
    rig.cpu.setGpr(2, type);
    expect(rig.run(insn(name, memory(At.operand, { reg: 2 })))).toBe('ok');
    rig.run(insn('vmresume'));
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x22n);
  });

  it('another EPTP and another VPID are other address spaces', () => {
    const rig = prepared(Secondary.enableVpid);
    rig.run(insn('cpuid'));
    rig.set(F.vpid, 2);
    remap(rig);
    rig.run(insn('vmresume'));
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x22n);
  });

  it('a page read through EPT is not writable by that', () => {
    const rig = guest(BigInt(PAGE) | 0x35n);
    readLinear(rig.cpu, BigInt(PAGE), 8);
    expect(() => writeLinear(rig.cpu, BigInt(PAGE), 8, 1n)).toThrow();
    expect(rig.get(F.exitReason)).toBe(48n);
  });
});
