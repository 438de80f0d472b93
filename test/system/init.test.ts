import { describe, expect, it } from 'vitest';
import { Activity, CR0, CR4 } from '../../src/machine/cpu/cpu.ts';
import { boundary } from '../../src/machine/cpu/boundary.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { resetCpu, signature, startup } from '../../src/machine/cpu/system/init.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import { fullTags } from '../../src/machine/cpu/x87/state.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { World } from './world.ts';

/** SDM Vol. 3, table 9-1. */
function expectReset(w: World): void {
  const { cpu } = w;
  expect([w.place(), cpu.segments[L.CS]!.base, cpu.segments[L.CS]!.limit, cpu.u32(L.CODE_SIZE)]).toEqual([
    'f000:fff0 cpl 0',
    0xffff_0000n,
    0xffff,
    0,
  ]);
  for (const n of [L.ES, L.SS, L.DS, L.FS, L.GS]) {
    const s = cpu.segments[n]!;
    expect([s.selector, s.base, s.limit, s.attr]).toEqual([0, 0n, 0xffff, 0x93]);
  }
  expect([cpu.segments[L.LDTR]!.limit, cpu.segments[L.TR]!.attr]).toEqual([0xffff, 0x8b]);
  expect([cpu.u64(L.GDTR_BASE), cpu.u32(L.GDTR_LIMIT), cpu.u64(L.IDTR_BASE), cpu.u32(L.IDTR_LIMIT)]).toEqual([0n, 0xffff, 0n, 0xffff]);
  expect([cpu.rflags, cpu.cr2, cpu.cr3, cpu.cr4, cpu.efer]).toEqual([2, 0n, 0n, 0n, 0n]);
  expect([cpu.dr(0), cpu.dr(6), cpu.dr(7)]).toEqual([0n, 0xffff_0ff0n, 0x400n]);
  for (let n = 0; n < 16; n++) expect(cpu.gpr(n)).toBe(n === 2 ? 0x506e3n : 0n);
}

/** A CPU in long mode with something everywhere. */
function used(): World {
  const w = new World('long', 3);
  for (let n = 0; n < 16; n++) w.cpu.setGpr(n, BigInt(n + 1));
  w.cpu.rflags = 0x2ff;
  w.cpu.cr2 = 5n;
  w.cpu.setDr(0, 7n);
  w.cpu.setU32(L.FCW, 0x37f);
  w.cpu.setU32(L.MXCSR, 0x1fbf);
  w.cpu.setU64(L.VECTORS, 9n);
  w.cpu.setU64(L.XCR0, 3n);
  w.cpu.interruptibility = 8;
  w.cpu.raise(L.Pending.init | L.Pending.debug | L.Pending.nmi);
  return w;
}

describe('power-on and INIT: SDM Vol. 3, 9.1', () => {
  it('power-on', () => {
    const w = used();
    resetCpu(w.cpu, 'power-on');
    expectReset(w);
    expect([w.cpu.cr0, w.cpu.u32(L.FCW), fullTags(w.cpu), w.cpu.u32(L.MXCSR), w.cpu.u64(L.VECTORS), w.cpu.u64(L.XCR0)]).toEqual([
      0x6000_0010n, 0x40, 0x5555, 0x1f80, 0n, 1n,
    ]); // prettier-ignore
    expect([w.cpu.pending, w.cpu.interruptibility, w.cpu.activity]).toEqual([0, 0, Activity.active]);
  });
  it('INIT keeps x87, SSE, XCR0, CR0.CD and CR0.NW', () => {
    for (const cd of [0, CR0.CD]) {
      const w = used();
      w.cpu.cr0 |= BigInt(cd);
      w.cpu.cr4 |= BigInt(CR4.PGE);
      resetCpu(w.cpu, 'init');
      expectReset(w);
      expect([w.cpu.cr0, w.cpu.u32(L.FCW), w.cpu.u32(L.MXCSR), w.cpu.u64(L.VECTORS), w.cpu.u64(L.XCR0)]).toEqual([
        BigInt(0x10 | cd),
        0x37f,
        0x1fbf,
        9n,
        3n,
      ]);
      expect(w.cpu.pending).toBe(L.Pending.nmi);
    }
  });
  it('a SIPI that follows its INIT at once is kept, an older one is not', () => {
    const { cpus } = fakeMachine({ cpus: 2 });
    const cpu = cpus[1]!;
    resetCpu(cpu, 'power-on');
    cpu.raise(L.Pending.init | L.Pending.sipi | 0x1200_0000);
    expect([boundary(cpu), cpu.pending]).toEqual([true, L.Pending.sipi | 0x1200_0000]);
    expect([boundary(cpu), cpu.activity, cpu.segments[L.CS]!.selector]).toEqual([true, Activity.active, 0x1200]);
    cpu.raise(L.Pending.sipi);
    resetCpu(cpu, 'power-on');
    expect(cpu.pending).toBe(0);
  });
  it('application processors wait for a SIPI, and start at its page', () => {
    const { cpus } = fakeMachine({ cpus: 2 });
    for (const cpu of cpus) resetCpu(cpu, 'power-on');
    expect(cpus.map((c) => c.activity)).toEqual([Activity.active, Activity.waitForSipi]);
    for (const cpu of cpus) startup(cpu, 0x9a);
    expect(cpus[0]!.segments[L.CS]!.selector).toBe(0xf000);
    const cs = cpus[1]!.segments[L.CS]!;
    expect([cs.selector, cs.base, cpus[1]!.rip, cpus[1]!.activity]).toEqual([0x9a00, 0x9_a000n, 0n, Activity.active]);
  });
  it('the CPU runs in real mode afterwards', () => {
    const w = used();
    resetCpu(w.cpu, 'init');
    expect(w.run('ea 00 10 00 20')).toBe('ok');
    expect(w.place()).toBe('2000:1000 cpl 0');
  });
  it.each([
    ['skylake', 0x506e3],
    ['penryn', 0x1067a],
  ])('signature of %s', (name, expected) => expect(signature(cpuModel(name)!).toString(16)).toBe(expected.toString(16)));
});
