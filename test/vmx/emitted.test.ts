import { describe, expect, it } from 'vitest';
import * as L from '../../src/machine/cpu/layout.ts';
import { Segment } from '../../src/machine/cpu/cpu.ts';
import { Exit } from '../../src/machine/vmx/controls.ts';
import { F, fields, guestSegments } from '../../src/machine/vmx/fields.ts';
import { Rig } from './rig.ts';

/** What VM entries and exits do with the areas of the VMCS in emitted code. */

const SCRATCH = 0x1800;

/** A segment register's slot, and what `Segment.load` makes of the same values. */
function slots(rig: Rig, n: number, expected: readonly [selector: number, base: bigint, limit: number, attr: number]): [unknown, unknown] {
  const { cpu } = rig;
  const at = (from: number): unknown => Array.from(cpu.m.u8.slice(cpu.block + from, cpu.block + from + L.SEG_WRITE_END + 8));
  new Segment(cpu.m, cpu.block + SCRATCH).load(...expected);
  return [at(L.SEGMENTS + n * L.SEGMENT_SIZE), at(SCRATCH)];
}

const types = Array.from({ length: 16 }, (_, type) => type);
const rights = [0x90, 0x80, 0x10, 0xf0, 0xc090, 0xa090, 0x1_0090, 0x1_0000];
const limits = [0, 0xfff, 0xffff_ffff, 0x7fff_ffff];

describe('guest segments', () => {
  it.each(guestSegments.map((s, n) => [s.name, n] as const))('%s of every type, with the fast limits', (_, n) => {
    const rig = new Rig().ready();
    const s = guestSegments[n]!;
    const base = 0xffff_8000_1234_5678n;
    const cut = n === L.SS || n === L.DS || n === L.ES;
    for (const type of types)
      for (const more of rights)
        for (const limit of limits) {
          rig.set(s.selector, 0xfff8);
          rig.set(s.base, base);
          rig.set(s.limit, limit);
          rig.set(s.accessRights, 0xfff0_0f00 | type | more);
          rig.vmcs.code.loadGuest(rig.cpu.block, rig.vmcs.base);
          const [loaded, expected] = slots(rig, n, [0xfff8, cut ? base & 0xffff_ffffn : base, limit, type | more]);
          expect(loaded, `type ${type}, rights ${more.toString(16)}, limit ${limit.toString(16)}`).toEqual(expected);
          rig.cpu.setU32(L.CPL, 0);
          for (const f of [s.selector, s.base, s.limit, s.accessRights]) rig.set(f, 0);
          rig.vmcs.code.saveGuest(rig.cpu.block, rig.vmcs.base);
          expect([s.selector, s.base, s.limit, s.accessRights].map((f) => rig.get(f))).toEqual(
            [0xfff8n, cut ? base & 0xffff_ffffn : base, BigInt(limit), BigInt(type | (n === L.SS ? more & ~0x60 : more))], // prettier-ignore
          );
        }
  });
});

describe('host segments', () => {
  const base = 0xffff_8000_8765_4321n;
  const data = [
    ['ES', L.ES, F.hostEsSelector, undefined],
    ['SS', L.SS, F.hostSsSelector, undefined],
    ['DS', L.DS, F.hostDsSelector, undefined],
    ['FS', L.FS, F.hostFsSelector, F.hostFsBase],
    ['GS', L.GS, F.hostGsSelector, F.hostGsBase],
  ] as const;
  it.each(data.flatMap((d) => [0, 0x10].map((selector) => [...d, selector] as const)))(
    '%s, number %i, selector %5$i',
    (_, n, field, baseField, selector) => {
      const rig = new Rig().ready();
      rig.set(field, selector);
      if (baseField) rig.set(baseField, base);
      rig.vmcs.code.loadHost(rig.cpu.block, rig.vmcs.base);
      const [loaded, expected] = slots(rig, n, [selector, baseField ? base : 0n, 0xffff_ffff, selector === 0 ? 0x1_0000 : 0xc093]);
      expect(loaded).toEqual(expected);
    },
  );
  it.each([
    ['64-bit', Exit.hostAddressSpaceSize, 0xa09b],
    ['32-bit', 0, 0xc09b],
  ])('CS, LDTR and TR of a %s host', (_, exit, attr) => {
    const rig = new Rig().ready();
    rig.set(F.exitControls, exit);
    rig.set(F.hostCsSelector, 0x18);
    rig.set(F.hostTrSelector, 0x28);
    rig.set(F.hostTrBase, base);
    rig.vmcs.code.loadHost(rig.cpu.block, rig.vmcs.base);
    for (const [n, values] of [
      [L.CS, [0x18, 0n, 0xffff_ffff, attr]],
      [L.LDTR, [0, 0n, 0, 0x1_0000]],
      [L.TR, [0x28, base, 0x67, 0x8b]],
    ] as const) {
      const [loaded, expected] = slots(rig, n, values);
      expect(loaded).toEqual(expected);
    }
  });
});

describe('saving the guest-state area', () => {
  it('changes nothing else in the region, not even the unused bytes of narrow fields', () => {
    const rig = new Rig().ready();
    const { cpu, vmcs } = rig;
    const written = new Set(fields.filter((f) => f.class === 'guest').flatMap((f) => bytesOf(f)));
    cpu.m.u8.fill(0xa5, vmcs.base + 16, vmcs.base + 4096);
    vmcs.code.saveGuest(cpu.block, vmcs.base);
    for (let at = 16; at < 4096; at++) if (!written.has(at)) expect(cpu.m.u8[vmcs.base + at], `byte ${at}`).toBe(0xa5);
  });
  const bytesOf = (f: (typeof fields)[number]): number[] =>
    Array.from({ length: f.width === 16 ? 2 : f.width === 32 ? 4 : 8 }, (_, n) => f.offset + n);
  it.each([0, 1, 2, 3])('SS has CPL %i as its DPL', (cpl) => {
    const rig = new Rig().ready();
    rig.cpu.segments[L.SS]!.load(0, 0n, 0, 0x1_0060);
    rig.cpu.setU32(L.CPL, cpl);
    rig.vmcs.code.saveGuest(rig.cpu.block, rig.vmcs.base);
    expect(rig.get(F.guestSsAccessRights)).toBe(0x1_0000n | (BigInt(cpl) << 5n));
  });
});
