import { describe, expect, it } from 'vitest';
import { Activity, VmxMode } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import { ACTIVITY, APIC_BASE, Pending, VMX_MODE } from '../../src/machine/cpu/layout.ts';
import { readMsr, writeMsr } from '../../src/machine/cpu/msr.ts';
import { logicalMatch } from '../../src/machine/devices/lapic/bus.ts';
import { logicalX2ApicMatch } from '../../src/machine/devices/lapic/x2apic.ts';
import { rig, type Rig } from './rig.ts';

const [TPR, PPR, EOI, LDR, DFR, SVR, ESR, ICR, ICR2] = [0x80, 0xa0, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310];
const [LVT_TIMER, LINT1, LVT_ERROR, INITIAL, CURRENT, DIVIDE] = [0x320, 0x360, 0x370, 0x380, 0x390, 0x3e0];
const PERIODIC = 0x2_0000;
const SELF = 0x4_0000;

function enabled(cpus = 1): Rig {
  const r = rig({ cpus });
  for (r.current = 0; r.current < cpus; r.current++) r.setApic(SVR, 0x1ff);
  r.current = 0;
  return r;
}
const raised = (r: Rig, cpu = 0): boolean => (r.machine.cpus[cpu]!.pending & Pending.interrupt) !== 0;
/** Every change must leave Pending.interrupt and pending() in agreement. */
function deliverable(r: Rig, cpu = 0): number {
  const vector = r.pc.lapics[cpu]!.pending();
  expect(raised(r, cpu)).toBe(vector >= 0);
  return vector;
}

describe('local APIC registers', () => {
  it.each([
    ['ID', 0x20, 0],
    ['version', 0x30, 0x0005_0014],
    ['TPR', TPR, 0],
    ['DFR', DFR, 0xffff_ffff],
    ['SVR', SVR, 0xff],
    ['LVT timer', LVT_TIMER, 0x1_0000],
    ['LINT0', 0x350, 0x1_0000],
    ['EOI is write-only', EOI, 0],
    ['current count', CURRENT, 0],
  ])('%s after reset', (_name, offset, value) => {
    expect(rig().apic(offset)).toBe(value);
  });

  it.each([
    ['ID can be changed', 0x20, 0xffff_ffff, 0xff00_0000],
    ['version is read-only', 0x30, 0, 0x0005_0014],
    ['TPR keeps 8 bits', TPR, 0xffff_ff35, 0x35],
    ['DFR keeps the model', DFR, 0, 0x0fff_ffff],
    ['LDR keeps the ID', LDR, 0x1234_5678, 0x1200_0000],
    ['ICR delivery status reads idle', ICR, 0x0000_1030 | SELF, 0x30 | SELF],
    ['LVT timer', LVT_TIMER, 0xffff_ffff, 0x7_00ff],
    ['divide', DIVIDE, 0xffff_ffff, 0xb],
    ['IRR is read-only', 0x200, 0xffff_ffff, 0],
  ])('%s', (_name, offset, written, read) => {
    const r = enabled();
    r.setApic(offset, written);
    expect(r.apic(offset)).toBe(read);
  });

  it('keeps LVT entries masked while software-disabled', () => {
    const r = rig();
    r.setApic(LVT_TIMER, 0x40);
    expect(r.apic(LVT_TIMER)).toBe(0x1_0040);
    r.setApic(SVR, 0x1ff);
    r.setApic(LVT_TIMER, 0x40);
    r.setApic(SVR, 0xff);
    expect(r.apic(LVT_TIMER)).toBe(0x1_0040);
  });

  it('reads parts of a register and ignores writes that are not one', () => {
    const r = enabled();
    const { memory, messages } = r.machine;
    expect([memory.read(0xfee0_0030, 1), memory.read(0xfee0_0032, 2), memory.read(0xfee0_0034, 4)]).toEqual([0x14, 5, 0]);
    memory.write(0xfee0_0080, 1, 0x55);
    memory.write(0xfee0_0084, 4, 0x55);
    expect(r.apic(TPR)).toBe(0);
    expect(messages.join()).toContain('ignored');
  });

  it('shows each CPU its own', () => {
    const r = enabled(2);
    r.current = 1;
    expect(r.apic(0x20)).toBe(0x0100_0000);
    r.setApic(TPR, 0x70);
    r.current = 0;
    expect(r.apic(TPR)).toBe(0);
  });
});

describe('local APIC priorities', () => {
  it('nests by class, in service order, until EOI', () => {
    const r = enabled();
    const apic = r.pc.lapics[0]!;
    r.setApic(ICR, SELF | 0x51);
    expect(deliverable(r)).toBe(0x51);
    expect(apic.acknowledge()).toBe(0x51);
    expect(deliverable(r)).toBe(-1);
    r.setApic(ICR, SELF | 0x5f); // same class: waits
    expect(deliverable(r)).toBe(-1);
    r.setApic(ICR, SELF | 0x60); // higher class: nests
    expect(deliverable(r)).toBe(0x60);
    expect(apic.acknowledge()).toBe(0x60);
    expect([r.apic(PPR), r.apic(0x120), r.apic(0x130), r.apic(0x220)]).toEqual([0x60, 2 ** 17, 1, 2 ** 31]);
    r.setApic(EOI, 0);
    expect([r.apic(PPR), deliverable(r)]).toEqual([0x50, -1]);
    r.setApic(EOI, 0);
    expect(deliverable(r)).toBe(0x5f);
  });

  it.each([
    ['a lower class', 0x40, 0x51, 0x51],
    ['the same class', 0x50, 0x51, -1],
    ['a higher class', 0x60, 0x51, -1],
    ['everything', 0xff, 0xff, -1],
  ])('TPR of %s', (_name, tpr, vector, expected) => {
    const r = enabled();
    r.setApic(TPR, tpr);
    r.setApic(ICR, SELF | vector);
    expect(deliverable(r)).toBe(expected);
    r.setApic(TPR, 0);
    expect(deliverable(r)).toBe(vector);
    r.pc.lapics[0]!.setCr8(15);
    expect([deliverable(r), r.apic(TPR), r.pc.lapics[0]!.getCr8()]).toEqual([-1, 0xf0, 15]);
  });

  it('acknowledging what went away gives the spurious vector and no service', () => {
    const r = enabled();
    r.setApic(SVR, 0x1ef);
    expect(r.pc.lapics[0]!.acknowledge()).toBe(0xef);
    expect(r.apic(0x170)).toBe(0);
  });

  it('refuses vectors below 16, and says so in ESR after a write to it', () => {
    const r = enabled();
    r.setApic(LVT_ERROR, 0xfe);
    r.setApic(ICR, SELF | 0x0f);
    expect([r.apic(ESR), deliverable(r)]).toEqual([0, 0xfe]);
    r.setApic(ESR, 0);
    expect(r.apic(ESR)).toBe(0x20);
    r.apic(0x3f0); // no such register
    r.setApic(ESR, 0);
    expect(r.apic(ESR)).toBe(0x80);
    r.setApic(ESR, 0);
    expect(r.apic(ESR)).toBe(0);
  });

  it('ignores interrupts while software-disabled, not while only masked by TPR', () => {
    const r = rig();
    r.setApic(ICR, SELF | 0x51);
    expect(r.apic(0x220)).toBe(0);
  });
});

describe('interrupt command register', () => {
  const cpus = 4;
  const flat = (r: Rig): void => {
    for (r.current = 0; r.current < cpus; r.current++) r.setApic(LDR, (1 << (24 + r.current)) >>> 0);
    r.current = 0;
  };
  const cluster = (r: Rig): void => {
    for (r.current = 0; r.current < cpus; r.current++) {
      r.setApic(DFR, 0);
      r.setApic(LDR, ((r.current < 2 ? 0x10 : 0x20) | (1 << (r.current & 1))) << 24);
    }
    r.current = 0;
  };
  it.each<[string, (r: Rig) => void, low: number, high: number, targets: number[]]>([
    ['physical 2', flat, 0x4041, 0x02, [2]],
    ['physical to nobody', flat, 0x4041, 0x09, []],
    ['physical to all', flat, 0x4041, 0xff, [0, 1, 2, 3]],
    ['logical flat 1010', flat, 0x4841, 0x0a, [1, 3]],
    ['logical flat to nobody', flat, 0x4841, 0x10, []],
    ['logical cluster 1, both', cluster, 0x4841, 0x13, [0, 1]],
    ['logical cluster 2, second', cluster, 0x4841, 0x22, [3]],
    ['logical cluster 3', cluster, 0x4841, 0x3f, []],
    ['logical, every cluster, second', cluster, 0x4841, 0xf2, [1, 3]],
    ['lowest priority of all, ties to the first', flat, 0x4941, 0x0f, [0]],
    ['self', flat, 0x4041 | SELF, 0x03, [0]],
    ['all', flat, 0x8_4041, 0, [0, 1, 2, 3]],
    ['all but self', flat, 0xc_4041, 0, [1, 2, 3]],
  ])('%s', (_name, setUp, low, high, targets) => {
    const r = enabled(cpus);
    setUp(r);
    r.setApic(ICR2, (high << 24) >>> 0);
    r.setApic(ICR, low);
    expect(r.machine.cpus.map((_, n) => n).filter((n) => deliverable(r, n) === 0x41)).toEqual(targets);
  });

  it('lowest priority goes to the CPU with the lowest processor priority', () => {
    const r = enabled(3);
    for (r.current = 0; r.current < 3; r.current++) {
      r.setApic(LDR, (1 << (24 + r.current)) >>> 0);
      r.setApic(TPR, [0x30, 0x20, 0x10][r.current]!);
    }
    r.current = 0;
    r.setApic(ICR2, 0x0700_0000);
    r.setApic(ICR, 0x4941);
    expect([0, 1, 2].map((n) => deliverable(r, n))).toEqual([-1, -1, 0x41]);
  });

  it.each([
    [0xff, 0xf, 0x00, false],
    [0x12, 0x0, 0x12, true],
    [0x12, 0x0, 0x22, false],
  ])('logical ID %i in model %i, destination %i', (id, model, destination, match) => {
    expect(logicalMatch(id, model, destination)).toBe(match);
  });

  it('NMI, INIT and the de-assert that is ignored', () => {
    const r = enabled(2);
    const ap = r.machine.cpus[1]!;
    r.setApic(ICR2, 0x0100_0000);
    r.setApic(ICR, 0x4400);
    expect(ap.pending).toBe(Pending.nmi);
    ap.clear(Pending.nmi);
    r.setApic(ICR, 0x8500); // INIT, level, de-assert
    expect(ap.pending).toBe(0);
    r.setApic(ICR, 0xc500); // INIT, level, assert
    expect(ap.pending).toBe(Pending.init);
  });

  it.each<[string, activity: number, pending: number, vmx: number, accepted: boolean]>([
    ['waiting', Activity.waitForSipi, 0, VmxMode.off, true],
    ['running', Activity.active, 0, VmxMode.off, false],
    ['INIT on its way', Activity.active, Pending.init, VmxMode.off, true],
    ['INIT blocked in VMX root operation', Activity.active, Pending.init, VmxMode.root, false],
    ['a guest that waits', Activity.waitForSipi, 0, VmxMode.nonRoot, true],
  ])('SIPI to a processor that is %s', (_name, activity, pending, vmx, accepted) => {
    const r = enabled(2);
    const ap = r.machine.cpus[1]!;
    ap.setU32(ACTIVITY, activity);
    ap.setU32(VMX_MODE, vmx);
    ap.raise(pending);
    r.setApic(ICR, 0xc_4612); // all but self
    expect(ap.pending >>> 0).toBe(accepted ? (pending | Pending.sipi | 0x1200_0000) >>> 0 : pending);
  });

  it('a disabled processor hears nothing', () => {
    const r = enabled(2);
    r.machine.cpus[1]!.setU64(APIC_BASE, 0xfee0_0000n);
    r.pc.lapics[1]!.apicBaseChanged();
    r.setApic(ICR, 0xc_4541);
    expect(r.machine.cpus[1]!.pending).toBe(0);
  });
});

describe('local APIC timer', () => {
  it.each([
    ['2', 0, 20],
    ['4', 1, 40],
    ['8', 2, 80],
    ['16', 3, 160],
    ['32', 8, 320],
    ['64', 9, 640],
    ['128', 10, 1280],
    ['1', 11, 10],
  ])('one-shot, divide by %s: due to the ns', (_name, divide, period) => {
    const r = enabled();
    r.clock.advanceTo(12_345);
    r.setApic(DIVIDE, divide);
    r.setApic(LVT_TIMER, 0x40);
    r.setApic(INITIAL, 1000);
    expect(r.clock.nextDeadline()).toBe(12_345 + 1000 * period);
    r.clock.advanceTo(12_345 + 300 * period);
    expect(r.apic(CURRENT)).toBe(700);
    r.clock.advanceTo(12_345 + 1000 * period - 1);
    expect([r.apic(CURRENT), deliverable(r)]).toEqual([1, -1]);
    r.clock.advanceTo(12_345 + 1000 * period);
    expect([r.apic(CURRENT), deliverable(r), r.clock.nextDeadline()]).toEqual([0, 0x40, Infinity]);
  });

  it('periodic: every period, current count wraps', () => {
    const r = enabled();
    r.setApic(DIVIDE, 11);
    r.setApic(LVT_TIMER, PERIODIC | 0x40);
    r.setApic(INITIAL, 100);
    for (let n = 1; n <= 3; n++) {
      r.clock.advanceTo(n * 1000);
      expect([deliverable(r), r.apic(CURRENT), r.clock.nextDeadline()]).toEqual([0x40, 100, (n + 1) * 1000]);
      r.pc.lapics[0]!.acknowledge();
      r.setApic(EOI, 0);
    }
    r.setApic(INITIAL, 0);
    expect([r.clock.nextDeadline(), r.apic(CURRENT)]).toEqual([Infinity, 0]);
  });

  it('a masked timer counts and arms nothing; unmasked it goes on in phase', () => {
    const r = enabled();
    r.setApic(DIVIDE, 11);
    r.setApic(LVT_TIMER, PERIODIC | 0x1_0040);
    r.setApic(INITIAL, 100);
    expect(r.clock.nextDeadline()).toBe(Infinity);
    r.clock.advanceTo(2_345);
    expect(r.apic(CURRENT)).toBe(66);
    r.setApic(LVT_TIMER, PERIODIC | 0x40);
    expect(r.clock.nextDeadline()).toBe(3_000);
  });

  it('a one-shot that ended while masked does not fire afterwards', () => {
    const r = enabled();
    r.setApic(INITIAL, 10);
    r.clock.advanceTo(10_000);
    r.setApic(LVT_TIMER, 0x40);
    expect(r.clock.nextDeadline()).toBe(Infinity);
  });

  it('a new divider counts on from where the timer is', () => {
    const r = enabled();
    r.setApic(DIVIDE, 11);
    r.setApic(LVT_TIMER, 0x40);
    r.setApic(INITIAL, 1000);
    r.clock.advanceTo(4_000);
    r.setApic(DIVIDE, 0); // 600 left, now 20 ns each
    expect([r.apic(CURRENT), r.clock.nextDeadline()]).toEqual([600, 4_000 + 600 * 20]);
  });

  it('IA32_TSC_DEADLINE is there only on a model that has it', () => {
    const r = enabled();
    const { cpu } = r.machine;
    const { features } = cpu.model;
    const give = (on: boolean): void => {
      const others = [...features].filter((f) => f !== 'tsc-deadline');
      Object.assign(cpu, { model: { ...cpu.model, features: new Set(on ? [...others, 'tsc-deadline'] : others) } });
    };
    r.setApic(LVT_TIMER, 0x4_0040);
    give(false);
    expect(() => writeMsr(cpu, 0x6e0, 5n)).toThrow();
    give(true);
    writeMsr(cpu, 0x10, 1_000_000n); // the TSC reads a million at time 0
    writeMsr(cpu, 0x6e0, 1_000_500n);
    expect([readMsr(cpu, 0x6e0), r.clock.nextDeadline()]).toEqual([1_000_500n, 500]);
  });

  it('TSC deadline: fires when the TSC gets there, then reads 0', () => {
    const r = enabled();
    const apic = r.pc.lapics[0]!;
    apic.setTscDeadline(5_000n);
    expect(apic.timer.deadline).toBe(0n); // not in the mode
    r.setApic(LVT_TIMER, 0x4_0040);
    apic.setTscDeadline(5_000n);
    r.setApic(INITIAL, 77); // ignored in the mode
    expect([r.clock.nextDeadline(), r.apic(CURRENT)]).toEqual([5_000, 0]);
    r.clock.advanceTo(5_000);
    expect([deliverable(r), apic.timer.deadline]).toEqual([0x40, 0n]);
    apic.setTscDeadline(9_000n);
    apic.setTscDeadline(0n);
    expect(r.clock.nextDeadline()).toBe(Infinity);
  });
});

describe('pins, IA32_APIC_BASE, INIT', () => {
  it('LINT1 as NMI, and the CMOS port that masks it', () => {
    const r = enabled();
    r.pc.nmi();
    expect(r.machine.cpu.pending).toBe(0); // LINT1 is masked
    r.setApic(LINT1, 0x400);
    r.out(0x70, 0x8f);
    r.pc.nmi();
    expect(r.machine.cpu.pending).toBe(0);
    r.out(0x70, 0x0f);
    r.pc.nmi();
    expect(r.machine.cpu.pending).toBe(Pending.nmi);
  });

  it('WRMSR IA32_APIC_BASE disables it and forgets what it held', () => {
    const r = enabled();
    const { cpu } = r.machine;
    r.setApic(TPR, 0x20);
    r.setApic(ICR, SELF | 0x51);
    writeMsr(cpu, 0x1b, 0xfee0_0100n);
    expect([deliverable(r), r.apic(TPR)]).toEqual([-1, 0xffff_ffff]);
    writeMsr(cpu, 0x1b, 0xfee0_0900n);
    expect([readMsr(cpu, 0x1b), r.apic(TPR), r.apic(SVR)]).toEqual([0xfee0_0900n, 0, 0xff]);
  });

  it('INIT leaves the reset state', () => {
    const r = enabled();
    r.setApic(ICR, SELF | 0x51);
    r.setApic(LVT_TIMER, 0x40);
    r.setApic(INITIAL, 1000);
    r.pc.lapics[0]!.init();
    expect([deliverable(r), r.apic(SVR), r.clock.nextDeadline()]).toEqual([-1, 0xff, Infinity]);
  });

  it('describes itself', () => {
    const r = enabled();
    r.setApic(ICR, SELF | 0x51);
    expect(r.pc.lapics[0]!.describe()).toMatch(/lapic0: id 0 enabled[^]*deliverable 51; IRR 51; ISR none[^]*LVT LINT0 {3}fixed vector 00 masked/);
  });
});

describe('x2APIC: SDM Vol. 3, 11.12', () => {
  const GP = 'gp';
  const outcome = (f: () => void): string | undefined => {
    try {
      f();
      return undefined;
    } catch (e) {
      if (!(e instanceof GuestFault)) throw e;
      return GP;
    }
  };
  const x2 = (cpus = 1): Rig => {
    const r = rig({ cpus });
    for (const cpu of r.machine.cpus) {
      writeMsr(cpu, 0x1b, BigInt(0xfee0_0c00 + (cpu.index === 0 ? 0x100 : 0)));
      writeMsr(cpu, 0x80f, 0x1ffn);
    }
    return r;
  };

  it.each([
    ['ID', 0x802, 1n],
    ['version', 0x803, 0x5_0014n],
    ['LDR is derived', 0x80d, 2n],
    ['SVR', 0x80f, 0x1ffn],
    ['LVT timer', 0x832, 0x1_0000n],
    ['ICR', 0x830, 0n],
    ['ISR', 0x810, 0n],
  ])('%s', (_, msr, value) => {
    expect(readMsr(x2(2).machine.cpus[1]!, msr)).toBe(value);
  });

  it.each([
    ['TPR', 0x808, 0x35n],
    ['SVR', 0x80f, 0x1ffn],
    ['LVT timer with read-only status', 0x832, 0x2_1040n, 0x2_0040n],
    ['ICR with a 32-bit destination that nobody has', 0x830, 0x1234_5678_0000_4041n],
    ['initial count', 0x838, 0xffff_ffffn],
    ['divide', 0x83e, 0xbn],
    ['ESR takes 0', 0x828, 0n],
  ])('%s is written', (_, msr, value, read = value) => {
    const { cpu } = x2().machine;
    writeMsr(cpu, msr, value);
    expect(readMsr(cpu, msr)).toBe(read);
  });

  it.each<[string, 'read' | 'write', number, bigint?]>([
    ['EOI', 'read', 0x80b],
    ['SELF IPI', 'read', 0x83f],
    ['DFR', 'read', 0x80e],
    ['DFR', 'write', 0x80e, 0n],
    ['high half of the ICR', 'read', 0x831],
    ['arbitration priority', 'read', 0x809],
    ['no register', 'read', 0x840],
    ['ID', 'write', 0x802, 0n],
    ['LDR', 'write', 0x80d, 0n],
    ['PPR', 'write', 0x80a, 0n],
    ['current count', 'write', 0x839, 0n],
    ['TPR, bit 8', 'write', 0x808, 0x100n],
    ['EOI, not 0', 'write', 0x80b, 1n],
    ['ESR, not 0', 'write', 0x828, 1n],
    ['SVR, bit 9', 'write', 0x80f, 0x2ffn],
    ['ICR, delivery status', 'write', 0x830, 0x1000n],
    ['LVT timer, bit 8', 'write', 0x832, 0x100n],
    ['divide, bit 2', 'write', 0x83e, 4n],
    ['SELF IPI, bit 8', 'write', 0x83f, 0x151n],
    ['initial count above 32 bits', 'write', 0x838, 1n << 32n],
  ])('%s: %s of %s faults', (_, what, msr, value) => {
    const { cpu } = x2().machine;
    expect(outcome(() => (what === 'read' ? readMsr(cpu, msr) : writeMsr(cpu, msr, value!)))).toBe(GP);
  });

  it('the MSRs fault in xAPIC mode, the page is gone in x2APIC mode', () => {
    expect(outcome(() => readMsr(rig().machine.cpu, 0x802))).toBe(GP);
    const r = x2();
    r.setApic(TPR, 0x20);
    expect([r.apic(0x30), readMsr(r.machine.cpu, 0x808)]).toEqual([0xffff_ffff, 0n]);
  });

  it.each([
    ['physical', 0x1_0000_0051n, [-1, 0x51, -1]],
    ['physical, nobody', 0x101_0000_0051n, [-1, -1, -1]],
    ['broadcast', 0xffff_ffff_0000_0051n, [0x51, 0x51, 0x51]],
    ['FFH is one ID among others', 0xff_0000_0051n, [-1, -1, -1]],
    ['logical, cluster 0', 0x5_0000_0851n, [0x51, -1, 0x51]],
    ['logical, cluster 1', 0x1_0007_0000_0851n, [-1, -1, -1]],
    ['all but self', 0xc_0051n, [-1, 0x51, 0x51]],
  ] as const)('IPI: %s', (_, icr, vectors) => {
    const r = x2(3);
    writeMsr(r.machine.cpu, 0x830, icr);
    expect(vectors.map((_v, n) => deliverable(r, n))).toEqual(vectors);
  });

  it.each([
    [0, 1, true],
    [0, 2, false],
    [17, 0x1_0002, true],
    [17, 0x2, false],
    [17, 0x2_0002, false],
  ])('CPU %i and logical destination %s', (id, destination, matches) => {
    expect(logicalX2ApicMatch(id, destination)).toBe(matches);
  });

  it('SELF IPI', () => {
    const r = x2();
    writeMsr(r.machine.cpu, 0x83f, 0x61n);
    expect(deliverable(r)).toBe(0x61);
    writeMsr(r.machine.cpu, 0x808, 0x60n);
    expect(deliverable(r)).toBe(-1);
  });

  it('keeps what was set up in xAPIC mode, and its mode through INIT', () => {
    const r = rig();
    const { cpu } = r.machine;
    r.setApic(SVR, 0x1ff);
    r.setApic(LVT_ERROR, 0x66);
    writeMsr(cpu, 0x1b, 0xfee0_0d00n);
    expect(readMsr(cpu, 0x837)).toBe(0x66n);
    r.pc.lapics[0]!.init();
    expect([readMsr(cpu, 0x837), readMsr(cpu, 0x802)]).toEqual([0x1_0000n, 0n]);
  });

  it('an 8-bit logical destination of the IOAPIC reaches cluster 0', () => {
    const r = x2(2);
    r.setIoapic(0x10 + 2 * 5 + 1, 0x0200_0000);
    r.setIoapic(0x10 + 2 * 5, 0x0871);
    r.pc.isaIrq(5)(true);
    expect([deliverable(r, 0), deliverable(r, 1)]).toEqual([-1, 0x71]);
  });
});

describe('IA32_APIC_BASE moves the page: SDM Vol. 3, 11.4.5', () => {
  it('to another address, for this CPU only', () => {
    const r = enabled(2);
    r.machine.memory.write(0x10_0030, 4, 0x1234);
    writeMsr(r.machine.cpu, 0x1b, 0x10_0900n);
    expect([r.machine.memory.read(0x10_0030, 4), r.apic(0x30)]).toEqual([0x5_0014, 0xffff_ffff]);
    r.current = 1;
    expect([r.machine.memory.read(0x10_0030, 4), r.apic(0x30)]).toEqual([0x1234, 0x5_0014]);
    r.machine.memory.write(0x10_0034, 4, 0x5678);
    r.current = 0;
    writeMsr(r.machine.cpu, 0x1b, 0xfee0_0900n);
    expect([r.machine.memory.read(0x10_0034, 4), r.apic(0x30)]).toEqual([0x5678, 0x5_0014]);
  });
});

describe('the timer between modes', () => {
  it.each([
    ['one-shot to periodic counts on', 0, PERIODIC, 400, 600],
    ['periodic to one-shot counts on', PERIODIC, 0, 1400, 600],
    ['run out in one-shot, it stays at 0', 0, PERIODIC, 2000, 0],
  ])('%s', (_, from, to, ticks, count) => {
    const r = enabled();
    r.setApic(DIVIDE, 0xb);
    r.setApic(LVT_TIMER, 0x1_0040 | from);
    r.setApic(INITIAL, 1000);
    r.clock.advanceTo(ticks * 10);
    r.setApic(LVT_TIMER, 0x1_0040 | to);
    expect(r.apic(CURRENT)).toBe(count);
    r.clock.advanceTo(ticks * 10 + 100_000);
    if (count === 0) expect(r.apic(CURRENT)).toBe(0);
  });
});
