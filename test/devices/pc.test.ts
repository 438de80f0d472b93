import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CPU_BLOCK_SIZE } from '../../src/machine/memory/layout.ts';
import { checkedState } from '../../src/machine/devices/state.ts';
import { rig, START, virtualWire, withEventClock, type Rig } from './rig.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { createPc } from '../../src/machine/devices/pc.ts';

/** What software could do to the devices: port writes and reads, MMIO writes, keys, serial input, time. */
type Action = readonly ['out' | 'in' | 'apic' | 'ioapic' | 'time' | 'serial' | 'key' | 'ack', number, number];
// prettier-ignore
const PORTS = [
  0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60, 0x64, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe,
  0x600, 0x601, 0x602, 0x603, 0x605, 0xb2, 0x80, 0x08, 0xc4, 0xcfc, 0xcfe,
];
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(fc.constant('out' as const), fc.constantFrom(...PORTS), fc.nat(255)),
  fc.tuple(fc.constant('in' as const), fc.constantFrom(...PORTS, 0x608), fc.constant(1)),
  fc.tuple(fc.constant('apic' as const), fc.constantFrom(0x80, 0xb0, 0xd0, 0xf0, 0x280, 0x300, 0x320, 0x350, 0x380, 0x3e0), fc.nat(0x7_ffff)),
  fc.tuple(fc.constant('ioapic' as const), fc.integer({ min: 0, max: 0x3f }), fc.nat(0x1_ffff)),
  fc.tuple(fc.constant('time' as const), fc.nat(2_000_000), fc.constant(0)),
  fc.tuple(fc.constant('serial' as const), fc.nat(255), fc.constant(0)),
  fc.tuple(fc.constant('key' as const), fc.nat(255), fc.constant(0)),
  fc.tuple(fc.constant('ack' as const), fc.constant(0), fc.constant(0)),
);

function play(r: Rig, actions: readonly Action[]): number[] {
  const seen: number[] = [];
  for (const [kind, a, b] of actions) {
    if (kind === 'out') r.out(a, b);
    else if (kind === 'in') seen.push(r.in(a));
    else if (kind === 'apic') r.setApic(a, b);
    else if (kind === 'ioapic') r.setIoapic(a, b);
    else if (kind === 'time') r.clock.advanceTo(r.clock.now() + a);
    else if (kind === 'serial') r.pc.com1.receive([a]);
    else if (kind === 'key') r.pc.keyboard.keyPress([a]);
    else if (r.pc.lapics[0]!.pending() >= 0) seen.push(r.pc.lapics[0]!.acknowledge());
    // The invariant that the run loop lives on.
    const raised = (r.machine.cpu.pending & 1) !== 0;
    if (raised !== r.pc.lapics[0]!.pending() >= 0) throw new Error(`after ${kind} ${a} ${b}: Pending.interrupt is ${raised}`);
  }
  return seen;
}

const states = (r: Rig): unknown => r.pc.all.map((d) => [d.name, d.snapshot()]);

describe('the PC', () => {
  it('snapshot, restore into another machine, and go on the same: any sequence of actions', () => {
    const [one, two] = [rig({ chipset: 'done' }), rig({ chipset: 'done' })];
    const fresh = { states: JSON.stringify(one.pc.all.map((d) => d.snapshot())), clock: JSON.stringify(one.clock.snapshot()) };
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.array(action, { maxLength: 30 }), (before, after) => {
        // Both machines start from the same fresh state, without a new machine for every run.
        for (const r of [one, two]) {
          JSON.parse(fresh.states).forEach((s: never, n: number) => r.pc.all[n]!.restore(s));
          r.clock.restore(JSON.parse(fresh.clock));
          r.machine.linear.u8.fill(0, r.machine.cpu.block + 0x1a8, r.machine.cpu.block + 0x1ac);
          r.serial.length = 0;
        }
        virtualWire(one);
        play(one, before);
        const saved = JSON.stringify({ clock: one.clock.snapshot(), devices: one.pc.all.map((d) => d.snapshot()) });
        const { clock, devices } = JSON.parse(saved);
        two.clock.restore(clock);
        two.pc.all.forEach((d, n) => d.restore(devices[n]));
        const { block } = one.machine.cpu;
        two.machine.linear.u8.set(one.machine.linear.u8.subarray(block, block + CPU_BLOCK_SIZE), block);
        expect(states(two)).toEqual(states(one));
        expect(two.pc.all.map((d) => d.describe())).toEqual(one.pc.all.map((d) => d.describe()));
        one.serial.length = 0;
        expect(play(two, after)).toEqual(play(one, after));
        expect(states(two)).toEqual(states(one));
        expect(two.clock.snapshot()).toEqual(one.clock.snapshot());
        expect(two.serial).toEqual(one.serial);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it('reset gives the power-on state again, apart from time, CMOS and waiting input', () => {
    const r = rig({ chipset: 'done' });
    const kept = new Set(['rtc']);
    const state = (): string => JSON.stringify(r.pc.all.filter((d) => !kept.has(d.name)).map((d) => [d.name, d.snapshot()]));
    const before = state();
    virtualWire(r);
    r.out(0x43, 0x36);
    r.out(0x40, 1, 2);
    r.out(0x60, 0xed, 7);
    r.out(0x80, 0x99);
    r.out(0x3fc, 0x1f);
    r.setApic(0x320, 0x2_0040);
    r.setApic(0x380, 1000);
    r.setIoapic(0x14, 0x8059);
    r.machine.ports.write(0xcf8, 4, 0x8000_0b40);
    r.machine.ports.write(0xcfc, 4, 0xb000);
    expect(state()).not.toBe(before);
    r.pc.reset();
    expect(state()).toBe(before);
    expect(r.clock.nextDeadline()).toBe(Infinity);
    expect(r.in(0x604, 2)).toBe(1);
  });

  it('devices have unique names and describe themselves', () => {
    const { all } = rig({ cpus: 2, onSerial2: () => {} }).pc;
    expect(new Set(all.map((d) => d.name)).size).toBe(all.length);
    for (const d of all) expect(d.describe().length).toBeGreaterThan(5);
    expect(all.map((d) => d.name)).toEqual([
      ...[
        'lapic0',
        'lapic1',
        'ioapic',
        'pic',
        'pci',
        'acpi-pm',
        'pit',
        'rtc',
        'i8042',
        'port92',
        'com1',
        'com2',
        'fw-cfg',
        'coprocessor-error',
        'legacy-ports',
      ],
    ]);
  });

  it('after firmware: a virtual wire, the PIC masked, the SCI a level', () => {
    const r = rig({ chipset: 'done' });
    expect([r.apic(0xf0), r.apic(0x350), r.apic(0x360), r.in(0x21), r.in(0xa1), r.in(0x4d1), r.in(0x604, 2)]).toEqual([
      0x1ff, 0x700, 0x400, 0xff, 0xff, 2, 1,
    ]);
  });

  it('debug ports', () => {
    const r = rig();
    r.out(0xe9, 0x41);
    r.out(0x402, 0x42);
    r.machine.ports.write(0xf4, 4, 0x1_0005);
    expect([r.debug, r.exits, r.in(0xe9), r.in(0x402)]).toEqual([[0x41, 0x42], [0x1_0005], 0xe9, 0xe9]);
  });

  it.each([
    ['POST code', 0x80, 0x12, 0x12],
    ['I/O delay', 0xed, 0x12, 0x12],
    ['DMA page', 0x87, 0x12, 0x12],
    ['DMA mask', 0x0f, 0x12, 0x12],
    ['VGA', 0x3d4, 0x12, 0xff],
    ['IDE', 0x1f7, 0x12, 0xff],
    ['VMware back door', 0x5658, 0x12, 0xff],
  ])('%s is silent', (_name, port, written, read) => {
    const r = rig();
    r.out(port, written);
    expect([r.in(port), r.machine.messages]).toEqual([read, []]);
  });

  it('a port that is nobody is still logged', () => {
    const r = rig();
    r.in(0x1234);
    expect(r.machine.messages.join()).toContain('0x1234');
  });

  it('the timer interrupt goes from the 8254 through both controllers', () => {
    const r = rig();
    virtualWire(r);
    r.setIoapic(0x14, 0x55);
    r.out(0x43, 0x34);
    r.out(0x40, 0x9c, 0x2e); // 100 Hz
    r.clock.advanceTo(10_000_000);
    const apic = r.pc.lapics[0]!;
    expect([apic.acknowledge(), apic.acknowledge(), apic.pending()]).toEqual([0x55, 0x20, -1]);
  });

  it('every CPU has its APIC page, by who asks', () => {
    const machine = fakeMachine({ cpus: 3 });
    withEventClock(machine, START);
    for (const cpu of machine.cpus) cpu.setU64(0x1e8, 0xfee0_0800n);
    let current = 0;
    createPc(machine, { currentCpu: () => current }).reset();
    expect([0, 1, 2].map((n) => ((current = n), machine.memory.read(0xfee0_0020, 4)))).toEqual([0, 0x100_0000, 0x200_0000]); // prettier-ignore
  });
});

describe('a snapshot of something else is refused', () => {
  const present = { a: 1, list: [1], inner: { on: true } };
  it.each([
    ['a missing field', { a: 1, list: [], inner: {} }, 'dev.inner.on: expected boolean, found undefined'],
    ['another type', { a: '1', list: [], inner: { on: true } }, 'dev.a: expected number, found string'],
    ['another item type', { a: 1, list: [1, 'x'], inner: { on: true } }, 'dev.list[1]: expected number, found string'],
    ['an unknown field', { a: 1, list: [], inner: { on: true }, z: 0 }, 'dev: unknown field z'],
    ['nothing', null, 'dev: expected object, found null'],
  ])('%s', (_name, saved, message) => {
    expect(() => checkedState('dev', present, saved)).toThrow(message);
  });

  it('by every device', () => {
    for (const d of rig({ onSerial2: () => {} }).pc.all) expect(() => d.restore({ nonsense: 1 }), d.name).toThrow(/snapshot of/);
  });
});
