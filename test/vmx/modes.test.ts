/** VM entry into every mode of the guest from every mode of the host, with and without EPT, and back: SDM Vol. 3, 27.3 and 28.5. */
import { describe, expect, it } from 'vitest';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { getPdpte, setPdpte } from '../../src/machine/cpu/mmu/pdptes.ts';
import { Entry, Secondary } from '../../src/machine/vmx/controls.ts';
import { F, guestSegments } from '../../src/machine/vmx/fields.ts';
import { inRoot, insn, Rig } from './rig.ts';

type HostMode = '4-level' | 'pae' | '32-bit';
interface GuestMode {
  readonly name: string;
  /** 0: 16-bit code, 1: 32-bit, 2: 64-bit. */
  readonly codeSize: number;
  readonly long?: boolean;
  readonly unrestricted?: boolean;
  readonly cr0Clear?: bigint;
  /** CR4 bits cleared and set. */
  readonly cr4Clear?: bigint;
  readonly cr4Set?: bigint;
  readonly rights?: number;
  readonly v8086?: boolean;
  readonly paging: boolean;
}

const [PE, PG, PAE, PSE] = [1n, 0x8000_0000n, 0x20n, 0x10n];
const guests: readonly GuestMode[] = [
  { name: '64-bit', codeSize: 2, long: true, rights: 0xa09b, paging: true },
  { name: 'compatibility', codeSize: 1, long: true, rights: 0xc09b, paging: true },
  { name: '16-bit compatibility', codeSize: 0, long: true, rights: 0x809b, paging: true },
  { name: 'PAE', codeSize: 1, cr4Set: PAE, paging: true },
  { name: '32-bit paging', codeSize: 1, cr4Clear: PAE, cr4Set: PSE, paging: true },
  { name: '16-bit protected', codeSize: 0, cr4Set: PAE, rights: 0x809b, paging: true },
  { name: 'v8086', codeSize: 0, cr4Set: PAE, v8086: true, paging: true },
  { name: 'protected without paging', codeSize: 1, unrestricted: true, cr0Clear: PG, paging: false },
  { name: 'real', codeSize: 0, unrestricted: true, cr0Clear: PG | PE, rights: 0x9b, paging: false },
];

/** Four absent PDPTEs, or an empty page directory. */
const EMPTY = 0xf0_0000;

function prepare(rig: Rig, g: GuestMode, ept: boolean): void {
  if (ept) rig.ept();
  if (g.unrestricted) rig.secondary(Secondary.unrestrictedGuest);
  rig.bits(F.entryControls, g.long ? Entry.ia32eModeGuest : 0, g.long ? 0 : Entry.ia32eModeGuest);
  rig.bits(F.guestCr0, g.cr0Clear === undefined ? PG : 0, g.cr0Clear ?? 0);
  rig.bits(F.guestCr4, (g.cr4Set ?? 0n) | (g.long ? PAE : 0n), g.cr4Clear ?? 0n);
  if (!g.long) rig.set(F.guestCr3, EMPTY);
  const [cs] = guestSegments.filter((s) => s.name === 'CS');
  rig.set(cs!.accessRights, g.rights ?? 0xc09b);
  if (g.rights === 0x9b || g.rights === 0x809b) rig.set(cs!.limit, 0xffff);
  if (!g.long && rig.get(F.guestRip) >> 32n !== 0n) rig.set(F.guestRip, 0x1000);
  if (g.v8086) {
    rig.set(F.guestRflags, 0x2_0002);
    for (const s of guestSegments.slice(0, 6)) {
      rig.set(s.selector, 0x1000);
      rig.set(s.base, 0x1_0000);
      rig.set(s.limit, 0xffff);
      rig.set(s.accessRights, 0xf3);
    }
  }
}

const modeOf = (cpu: Cpu) => ({
  long: cpu.longMode,
  codeSize: cpu.u32(L.CODE_SIZE),
  paging: cpu.pagingOn,
  cr0: cpu.cr0,
  cr3: cpu.cr3,
  cr4: cpu.cr4,
  pdptes: [0, 1, 2, 3].map((n) => (cpu.longMode || (cpu.cr4 & PAE) === 0n ? 0n : getPdpte(cpu, n))),
});

const matrix = (['4-level', 'pae', '32-bit'] as const).flatMap((host) =>
  guests.flatMap((guest) => [false, true].map((ept) => [host, guest.name, ept, guest] as const)),
);

describe('modes of host and guest', () => {
  it.each(matrix)('host with %s paging, guest %s, EPT %s', (host: HostMode, _, ept, guest) => {
    const rig = new Rig('skylake', host).ready();
    prepare(rig, guest, ept);
    // IA-32e mode is entered from IA-32e mode only (27.2.4), unrestricted guest needs EPT (27.2.1.1).
    if (guest.long && host !== '4-level') {
      expect(rig.launch()).toBe('VMfail 8');
      return;
    }
    if (guest.unrestricted && !ept) {
      expect(rig.launch()).toBe('VMfail 7');
      return;
    }
    const before = modeOf(rig.cpu);
    expect(rig.launch()).toBe('ok');
    const { cpu } = rig;
    expect(modeOf(cpu)).toMatchObject({ long: guest.long ?? false, codeSize: guest.codeSize, paging: guest.paging });
    expect(cpu.v8086).toBe(guest.v8086 ?? false);
    expect(cpu.cpl).toBe(guest.v8086 ? 3 : 0);
    expect(cpu.realMode).toBe(guest.name === 'real');
    const usesPdptes = guest.paging && !guest.long && (cpu.cr4 & PAE) !== 0n;
    if (usesPdptes) setPdpte(cpu, 2, 0x1_2001n);
    expect(rig.run(insn('cpuid', { length: 2, mode: guest.codeSize === 2 ? 64 : guest.codeSize === 1 ? 32 : 16 }))).toBe('exit 10');
    expect(inRoot(cpu)).toBe(true);
    expect(modeOf(cpu)).toEqual(before);
    expect(cpu.cpl).toBe(0);
    expect((rig.get(F.entryControls) & BigInt(Entry.ia32eModeGuest)) !== 0n).toBe(guest.long ?? false);
    // With EPT the PDPTE registers are saved (28.3.1).
    if (usesPdptes) expect(rig.get(F.guestPdpte2)).toBe(ept ? 0x1_2001n : 0n);
    expect(rig.run(insn('vmresume', { mode: before.long ? 64 : 32 }))).toBe('ok');
    expect(modeOf(cpu)).toMatchObject({ long: guest.long ?? false, codeSize: guest.codeSize });
    if (usesPdptes) expect(getPdpte(cpu, 2)).toBe(ept ? 0x1_2001n : 0n);
  });
});
