/**
 * EPT permissions: every combination of read, write, execute and user-execute, at every page size, for each kind of access, with and without
 * mode-based execute control, execute-only support and dirty flags. SDM Vol. 3, 29.3.3.2 and table 28-7, as an oracle.
 */
import { describe, expect, it } from 'vitest';
import { ABANDONED } from '../../src/machine/cpu/fault.ts';
import { translate } from '../../src/machine/cpu/mmu/walk.ts';
import { Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, Rig } from './rig.ts';

const PAGE = 0x80_0000;
const [R, W, X, XU] = [1, 2, 4, 0x400];
const PERMISSIONS = Array.from({ length: 16 }, (_, n) => (n & 7) | (n & 8 ? XU : 0));
const accesses = { read: 1, write: 2, 'supervisor fetch': 4, 'user fetch': 4 } as const;
type AccessName = keyof typeof accesses;

/** What an entry with these permissions does to an access: 'mapped', 48 or 49. */
function oracle(p: number, access: AccessName, modeBased: boolean): 'mapped' | 48 | 49 {
  const executable = modeBased ? X | XU : X;
  if ((p & (R | W | executable)) === 0) return 48;
  if ((p & W) !== 0 && (p & R) === 0) return 49;
  const needed = access === 'read' ? R : access === 'write' ? W : modeBased && access === 'user fetch' ? XU : X;
  return (p & needed) !== 0 ? 'mapped' : 48;
}

interface Case {
  readonly level: 1 | 2;
  readonly p: number;
  readonly access: AccessName;
  readonly modeBased: boolean;
  readonly dirty: boolean;
}
const cases: Case[] = [];
for (const level of [1, 2] as const)
  for (const p of PERMISSIONS)
    for (const access of Object.keys(accesses) as AccessName[])
      for (const modeBased of [false, true]) for (const dirty of [false, true]) cases.push({ level, p, access, modeBased, dirty });

const name = (c: Case): string =>
  `${c.access}, ${c.level === 1 ? '4 KiB' : '2 MiB'}, ${(c.p & R) !== 0 ? 'r' : '-'}${(c.p & W) !== 0 ? 'w' : '-'}${(c.p & X) !== 0 ? 'x' : '-'}${(c.p & XU) !== 0 ? 'u' : '-'}${c.modeBased ? ', mode-based' : ''}${c.dirty ? ', A/D' : ''}`;

function run(c: Case): { rig: Rig; outcome: 'mapped' | 48 | 49 } {
  const rig = new Rig().inGuest((r) => {
    r.ept({ pointerBits: c.dirty ? 0x40n : 0n, flags: BigInt(R | W | X | XU) });
    if (c.modeBased) r.secondary(Secondary.modeBasedExecute);
    const ram = r.machine.memory;
    // User-mode linear addresses are those whose guest entries all have U/S: the identity map has; a supervisor one is made at level 2.
    if (c.access === 'supervisor fetch') {
      const pde = Number(r.get(F.guestCr3)) + 0x2000 + 4 * 8;
      ram.write64(pde, ram.read64(pde) & ~4n);
    }
    const pde = At.ept + 0x2000 + 4 * 8;
    const upper = BigInt(R | W | X | XU);
    ram.write64(At.ept, BigInt(At.ept + 0x1000) | upper);
    ram.write64(At.ept + 0x1000, BigInt(At.ept + 0x2000) | upper);
    if (c.level === 2) ram.write64(pde, BigInt(PAGE) | 0xb0n | BigInt(c.p));
    else {
      ram.write64(pde, BigInt(At.ept + 0x3000) | upper);
      ram.write64(At.ept + 0x3000, BigInt(PAGE) | 0x30n | BigInt(c.p));
    }
  });
  try {
    const fetch = c.access.endsWith('fetch');
    const physical = translate(rig.cpu, BigInt(PAGE + 0x10), { write: c.access === 'write', execute: fetch, user: c.access === 'user fetch' });
    expect(physical).toBe(PAGE + 0x10);
    return { rig, outcome: 'mapped' };
  } catch (e) {
    if (e !== ABANDONED) throw e;
    return { rig, outcome: rig.vmcs.num(F.exitReason) as 48 | 49 };
  }
}

describe('permissions', () => {
  it.each(cases.map((c) => [name(c), c] as const))('%s', (_, c) => {
    const { rig, outcome } = run(c);
    expect(outcome).toBe(oracle(c.p, c.access, c.modeBased));
    if (outcome === 49) expect(rig.get(F.exitQualification)).toBe(0n);
    if (outcome !== 48) return;
    const present = (c.p & (R | W | X | (c.modeBased ? XU : 0))) !== 0;
    const rights = present ? ((c.p & 7) << 3) | (c.modeBased && (c.p & XU) !== 0 ? 0x40 : 0) : 0;
    const user = c.access === 'supervisor fetch' ? 0 : 0x200;
    expect(rig.get(F.exitQualification)).toBe(BigInt(accesses[c.access] | rights | 0x180 | user | 0x400));
    expect(rig.get(F.guestPhysicalAddress)).toBe(BigInt(PAGE + 0x10));
    expect(rig.get(F.guestLinearAddress)).toBe(BigInt(PAGE + 0x10));
  });
});
