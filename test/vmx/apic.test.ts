/** APIC virtualization: SDM Vol. 3, chapter 30. The lists of registers are the SDM's, written down a second time. */
import { describe, expect, it } from 'vitest';
import { Activity } from '../../src/machine/cpu/cpu.ts';
import { ABANDONED } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { AccessKind, slowAccess } from '../../src/machine/cpu/mmu/slow-path.ts';
import { BOUNCE } from '../../src/machine/memory/layout.ts';
import { Exit, Pin, Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, handlerOf, insn, Rig, type Outcome } from './rig.ts';

const PAGE = 0x28_0000; // the APIC-access page
const DESCRIPTOR = 0x28_1000;

type Prepare = (rig: Rig) => void;
const configs = {
  'TPR shadow': 0,
  'APIC registers': Secondary.apicRegisterVirtualization,
  'virtual interrupts': Secondary.virtualInterruptDelivery,
  both: Secondary.apicRegisterVirtualization | Secondary.virtualInterruptDelivery,
} as const;
type Config = keyof typeof configs;

function apicGuest(secondary: number, prepare: Prepare = () => {}): Rig {
  return new Rig().inGuest((rig) => {
    rig.primary(Primary.useTprShadow);
    rig.secondary(secondary);
    rig.set(F.apicAccessAddress, PAGE);
    if ((secondary & Secondary.virtualInterruptDelivery) !== 0) rig.bits(F.pinControls, Pin.externalInterruptExiting);
    rig.bits(F.exitControls, Exit.acknowledgeInterrupt);
    prepare(rig);
  });
}

const outcomeOf = (rig: Rig, access: () => void): Outcome => {
  try {
    access();
    return 'ok';
  } catch (e) {
    if (e !== ABANDONED) throw e;
    return `exit ${rig.vmcs.num(F.exitReason)}`;
  }
};
const vapic = (rig: Rig, offset: number): number => rig.machine.memory.read(At.virtualApic + offset, 4);
const setVapic = (rig: Rig, offset: number, value: number): void => rig.machine.memory.write(At.virtualApic + offset, 4, value);

/** 30.4.2 and 30.4.3.1: registers that APIC-register virtualization covers. */
const range = (first: number, last: number): number[] => Array.from({ length: (last - first) / 16 + 1 }, (_, n) => first + n * 16);
const READABLE = new Set([0x20, 0x30, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, ...range(0x100, 0x280), ...range(0x300, 0x380), 0x3e0]);
const WRITABLE = new Set([0x20, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, ...range(0x300, 0x370), 0x380, 0x3e0]);
const registers = range(0, 0x3f0);

describe.each(Object.keys(configs) as Config[])('virtualize APIC accesses, %s', (config) => {
  const secondary = Secondary.virtualizeApicAccesses | configs[config];
  const registersOn = (configs[config] & Secondary.apicRegisterVirtualization) !== 0;
  const delivery = (configs[config] & Secondary.virtualInterruptDelivery) !== 0;

  it.each(registers.map((r) => [r.toString(16), r] as const))('read of %s', (_, register) => {
    const rig = apicGuest(secondary);
    setVapic(rig, register, 0x1234_5678);
    let value = 0n;
    const outcome = outcomeOf(rig, () => (value = readLinear(rig.cpu, BigInt(PAGE + register), 4)));
    const virtual = registersOn ? READABLE.has(register) : register === 0x80;
    expect(outcome).toBe(virtual ? 'ok' : 'exit 44');
    if (virtual) expect(value).toBe(0x1234_5678n);
    else expect(rig.get(F.exitQualification)).toBe(BigInt(register));
  });

  it.each(registers.map((r) => [r.toString(16), r] as const))('write of %s', (_, register) => {
    const rig = apicGuest(secondary);
    // A TPR above the threshold, a self-IPI that is none: what follows the write is tested below.
    const outcome = outcomeOf(rig, () => writeLinear(rig.cpu, BigInt(PAGE + register), 4, 0x50n));
    const virtual = registersOn ? WRITABLE.has(register) : register === 0x80 || (delivery && (register === 0xb0 || register === 0x300));
    expect(outcome).toBe(virtual ? 'ok' : 'exit 44');
    if (!virtual) {
      expect(rig.get(F.exitQualification)).toBe(BigInt(register | 0x1000));
      return;
    }
    expect(rig.cpu.pending & L.Pending.window).not.toBe(0);
    const silent = register === 0x80 || register === 0x310 || (delivery && register === 0xb0);
    expect(rig.boundary()).toBe(silent ? 'nothing' : 'exit 56');
    if (!silent) expect(rig.get(F.exitQualification)).toBe(BigInt(register));
  });

  it.each([4, 8, 12, 0x84, 0x88, 0x8c, 0xf04, 0xff0])('offset %d is no register: a VM exit', (offset) => {
    const rig = apicGuest(secondary);
    expect(outcomeOf(rig, () => readLinear(rig.cpu, BigInt(PAGE + offset), 4))).toBe('exit 44');
    expect(rig.get(F.exitQualification)).toBe(BigInt(offset));
  });
});

describe('width and place of an access to the APIC-access page: all of it in the low 4 bytes of a register, or a VM exit', () => {
  const places: readonly (readonly [offset: number, size: 1 | 2 | 4 | 8 | 16 | 32, virtual: boolean])[] = [
    [0x80, 1, true], [0x83, 1, true], [0x80, 2, true], [0x82, 2, true], [0x80, 4, true], [0x83, 2, false], [0x81, 4, false], [0x80, 8, false], [0x80, 16, false], [0x80, 32, false],
    [0x7e, 4, false], [0x84, 1, false], [0x8f, 1, false],
  ]; // prettier-ignore
  const rows = places.flatMap(([offset, size, virtual]) => [[offset.toString(16), size, 'read', virtual] as const, [offset.toString(16), size, 'write', virtual] as const]); // prettier-ignore

  it.each(rows)('offset %s, %d bytes, %s', (place, size, direction, virtual) => {
    const write = direction === 'write';
    const address = BigInt(PAGE + parseInt(place, 16));
    const qualification = BigInt(parseInt(place, 16) | (write ? 0x1000 : 0));
    // By emitted code.
    const emitted = apicGuest(Secondary.virtualizeApicAccesses);
    setVapic(emitted, 0x80, 0xf0);
    const at = slowAccess(emitted.cpu, address, size, write ? AccessKind.write : AccessKind.read);
    expect(emitted.cpu.guest !== null).toBe(virtual);
    if (virtual) expect(at).toBe(BOUNCE);
    else expect([at, emitted.get(F.exitReason), emitted.get(F.exitQualification)]).toEqual([0, 44n, qualification]);
    if (size > 8) return;
    // And by TypeScript.
    const rig = apicGuest(Secondary.virtualizeApicAccesses);
    setVapic(rig, 0x80, 0xf0);
    const outcome = outcomeOf(rig, () => (write ? writeLinear(rig.cpu, address, size as 4, 0xf0n) : readLinear(rig.cpu, address, size as 4)));
    expect(outcome).toBe(virtual ? 'ok' : 'exit 44');
    if (!virtual) expect(rig.get(F.exitQualification)).toBe(qualification);
  });
});

describe('APIC-access VM exits (table 28-6)', () => {
  it('a fetch', () => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses);
    const fetch = (): void =>
      void rig.cpu.guest!.translate(rig.cpu, PAGE + 0x80, { write: false, execute: true, user: false }, BigInt(PAGE + 0x80), false);
    expect(outcomeOf(rig, fetch)).toBe('exit 44');
    expect(rig.get(F.exitQualification)).toBe(0x2080n);
  });

  it('during event delivery', () => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses, (r) => r.set(F.guestRsp, PAGE + 0x100));
    expect(rig.event({ vector: 6, type: 'hardware', errorCode: undefined })).toBe('exit 44');
    expect(rig.get(F.exitQualification) & 0xf000n).toBe(0x3000n);
    expect(rig.get(F.idtVectoringInfo)).toBe(0x8000_0306n);
  });

  it('a guest paging structure', () => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses);
    const walk = (): void => void rig.cpu.guest!.translate(rig.cpu, PAGE + 8, { write: false, execute: false, user: false }, 0x1000n, true);
    expect(outcomeOf(rig, walk)).toBe('exit 44');
    expect(rig.get(F.exitQualification)).toBe(0xf000n);
  });

  it('without TPR shadow every access exits', () => {
    const rig = new Rig().inGuest((r) => {
      r.secondary(Secondary.virtualizeApicAccesses);
      r.set(F.apicAccessAddress, PAGE);
    });
    expect(outcomeOf(rig, () => readLinear(rig.cpu, BigInt(PAGE + 0x80), 4))).toBe('exit 44');
  });

  it('the page next to it is ordinary memory', () => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses);
    expect(outcomeOf(rig, () => writeLinear(rig.cpu, BigInt(PAGE + 0x1000), 4, 1n))).toBe('ok');
    expect(outcomeOf(rig, () => readLinear(rig.cpu, BigInt(PAGE - 4), 4))).toBe('ok');
  });

  it('through EPT the page is recognized by its physical address', () => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses, (r) => {
      r.ept();
      const pt = At.ept + 0x3000;
      r.machine.memory.write64(At.ept + 0x2000 + 4 * 8, BigInt(pt) | 7n);
      r.machine.memory.write64(pt, BigInt(PAGE) | 0x37n);
    });
    setVapic(rig, 0x80, 0x77);
    expect(readLinear(rig.cpu, 0x80_0080n, 4)).toBe(0x77n);
    expect(outcomeOf(rig, () => readLinear(rig.cpu, 0x80_0020n, 4))).toBe('exit 44');
  });
});

describe('TPR virtualization and threshold (30.1.2, 27.7.7)', () => {
  const thresholds = Array.from({ length: 16 }, (_, t) => [0, 4, 7, 15].map((threshold) => [t, threshold] as const)).flat();
  it.each(thresholds)('VTPR class %d with threshold %d', (tpr, threshold) => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses, (r) => {
      setVapic(r, 0x80, 0xf0);
      r.set(F.tprThreshold, threshold);
    });
    expect(rig.boundary()).toBe('nothing');
    expect(outcomeOf(rig, () => writeLinear(rig.cpu, BigInt(PAGE + 0x80), 4, BigInt(0xabcd_ef00 | (tpr << 4))))).toBe('ok');
    expect(rig.boundary()).toBe(tpr < threshold ? 'exit 43' : 'nothing');
    expect(vapic(rig, 0x80)).toBe(tpr << 4);
  });

  it.each([
    ['active', Activity.active, 'exit 43'],
    ['HLT', Activity.hlt, 'exit 43'],
    ['shutdown', Activity.shutdown, 'nothing'],
    ['wait-for-SIPI', Activity.waitForSipi, 'nothing'],
  ] as const)('a VM entry below the threshold, %s: %s', (_, activity, outcome) => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses, (r) => {
      setVapic(r, 0x80, 0x20);
      r.set(F.tprThreshold, 3);
      r.set(F.guestActivity, activity);
    });
    expect(rig.boundary()).toBe(outcome);
  });
});

/** x2APIC mode: WRMSR and RDMSR with ECX in 800H-83FH. */
describe.each(Object.keys(configs) as Config[])('virtualize x2APIC mode, %s', (config) => {
  const secondary = Secondary.virtualizeX2apic | configs[config];
  const registersOn = (configs[config] & Secondary.apicRegisterVirtualization) !== 0;
  const delivery = (configs[config] & Secondary.virtualInterruptDelivery) !== 0;
  const msrGuest = (index: number): Rig => {
    const rig = apicGuest(secondary, (r) => r.primary(Primary.useMsrBitmaps));
    rig.cpu.setGpr32(1, index);
    return rig;
  };
  const virtualRead = Array.from({ length: 64 }, (_, n) => 0x800 + n).filter((i) => registersOn || i === 0x808);

  it.each(virtualRead.map((i) => [i.toString(16), i] as const))('RDMSR %s reads the virtual-APIC page', (_, index) => {
    const rig = msrGuest(index);
    setVapic(rig, (index & 0xff) << 4, 0x8765_4321);
    setVapic(rig, ((index & 0xff) << 4) + 4, 0x55);
    expect(rig.run(insn('rdmsr', { length: 2 }))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(0x8765_4321n);
    expect(rig.cpu.gpr(2)).toBe(0x55n);
  });

  it.each([
    [0x808, true],
    [0x80b, delivery],
    [0x83f, delivery],
  ])('WRMSR %d goes to the virtual-APIC page: %s', (index, virtual) => {
    const rig = msrGuest(index);
    rig.cpu.setGpr32(0, index === 0x80b ? 0 : 0x60);
    rig.cpu.setGpr32(2, 0);
    const outcome = rig.run(insn('wrmsr', { length: 2 }));
    if (!virtual) {
      expect(outcome).toMatch(/^#13/);
      return;
    }
    expect(outcome).toBe('ok');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode + 2));
    if (index !== 0x80b) expect(vapic(rig, (index & 0xff) << 4)).toBe(0x60);
  });

  it.each([
    ['TPR above 8 bits', 0x808, 0x100, 0],
    ['TPR with a high half', 0x808, 0, 1],
    ...(delivery ? ([['EOI not 0', 0x80b, 1, 0], ['a vector above 8 bits', 0x83f, 0x100, 0]] as const) : []), // prettier-ignore
  ] as const)('%s is #GP(0)', (_, index, low, high) => {
    const rig = msrGuest(index);
    rig.cpu.setGpr32(0, low);
    rig.cpu.setGpr32(2, high);
    expect(rig.run(insn('wrmsr', { length: 2 }))).toBe('#13(0)');
  });

  it('the MSR bitmap comes first', () => {
    const rig = msrGuest(0x808);
    rig.machine.memory.write(At.msrBitmaps + (0x808 >> 3), 1, 1);
    expect(rig.run(insn('rdmsr', { length: 2 }))).toBe('exit 31');
  });
});

describe('virtual interrupts (30.2)', () => {
  const VID = Secondary.virtualInterruptDelivery | Secondary.virtualizeX2apic;
  const requested = (rviValue: number, sviValue: number, tpr: number, flags = 0x202, prepare: Prepare = () => {}): Rig =>
    apicGuest(VID, (rig) => {
      rig.primary(Primary.useMsrBitmaps);
      setVapic(rig, 0x80, tpr);
      for (const [set, vector] of [
        [0x200, rviValue],
        [0x100, sviValue],
      ] as const)
        if (vector !== 0) setVapic(rig, set + (vector >> 5) * 16, 1 << (vector & 31));
      rig.set(F.guestInterruptStatus, rviValue | (sviValue << 8));
      rig.set(F.guestRflags, flags);
      prepare(rig);
    });
  const status = (rig: Rig): [number, number] => [rig.vmcs.num(F.guestInterruptStatus) & 0xff, rig.vmcs.num(F.guestInterruptStatus) >> 8];

  const classes = [0x10, 0x31, 0x5f, 0x80, 0xff].flatMap((r) =>
    [0, 0x22, 0x55, 0x80, 0xf0].flatMap((s) => [0, 0x30, 0x50, 0x7f, 0xff].map((t) => [r, s, t] as const)),
  );
  it.each(classes)('RVI %d, SVI %d, VTPR %d', (r, s, t) => {
    const rig = requested(r, s, t);
    const ppr = t >> 4 >= s >> 4 ? t : s & 0xf0;
    expect(vapic(rig, 0xa0)).toBe(ppr);
    const delivered = r >> 4 > ppr >> 4;
    rig.boundary();
    expect(rig.cpu.guest).not.toBeNull();
    expect(rig.cpu.rip).toBe(delivered ? handlerOf(r) : BigInt(At.guestCode));
    if (!delivered) {
      expect(status(rig)).toEqual([r, s]);
      return;
    }
    expect(status(rig)).toEqual([0, r]);
    expect(vapic(rig, 0xa0)).toBe(r & 0xf0);
    expect(vapic(rig, 0x200 + (r >> 5) * 16)).toBe(0);
    expect((vapic(rig, 0x100 + (r >> 5) * 16) >>> (r & 31)) & 1).toBe(1);
  });

  it.each([
    ['IF 0', 2, 0, 0],
    ['in the shadow of STI', 0x202, 1, 0],
    ['in the shadow of MOV SS', 0x202, 2, 0],
    ['in shutdown', 0x202, 0, 2],
    ['in wait-for-SIPI', 0x202, 0, 3],
  ])('is not delivered with %s', (_, flags, blocking, activity) => {
    const rig = requested(0x51, 0, 0, flags, (r) => {
      r.set(F.guestInterruptibility, blocking);
      r.set(F.guestActivity, activity);
    });
    expect(rig.boundary()).toBe('nothing');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
  });

  it('ends HLT', () => {
    const rig = requested(0x51, 0, 0, 0x202, (r) => r.set(F.guestActivity, 1));
    rig.boundary();
    expect(rig.cpu.activity).toBe(Activity.active);
    expect(rig.cpu.rip).toBe(handlerOf(0x51));
  });

  it('waits for the interrupt window, which exits first', () => {
    const rig = requested(0x51, 0, 0, 0x202, (r) => r.primary(Primary.interruptWindowExiting));
    expect(rig.boundary()).toBe('exit 7');
  });

  it('comes before an external interrupt, after an NMI', () => {
    const rig = requested(0x51, 0, 0, 0x202, (r) => r.bits(F.pinControls, Pin.nmiExiting));
    (rig.cpu.irq as unknown as { vectors: number[] }).vectors.push(0x60);
    rig.cpu.raise(L.Pending.interrupt);
    rig.boundary();
    expect(rig.cpu.rip).toBe(handlerOf(0x51));
    const nmi = requested(0x51, 0, 0, 0x202, (r) => r.bits(F.pinControls, Pin.nmiExiting));
    nmi.cpu.raise(L.Pending.nmi);
    expect(nmi.boundary()).toBe('exit 0');
  });

  const eoi = (rig: Rig): Outcome => {
    rig.cpu.setGpr32(1, 0x80b);
    rig.cpu.setGpr32(0, 0);
    rig.cpu.setGpr32(2, 0);
    return rig.run(insn('wrmsr', { length: 2 }));
  };
  it.each([0x10, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff])('EOI of vector %d exits by its bit of the EOI-exit bitmaps', (vector) => {
    const bitmap = [F.eoiExitBitmap0, F.eoiExitBitmap1, F.eoiExitBitmap2, F.eoiExitBitmap3][vector >> 6]!;
    const rig = requested(0, vector, 0, 2, (r) => r.set(bitmap, 1n << BigInt(vector & 63)));
    expect(eoi(rig)).toBe('exit 45');
    expect(rig.get(F.exitQualification)).toBe(BigInt(vector));
    expect(rig.get(F.guestRip)).toBe(BigInt(At.guestCode + 2));
    expect(rig.get(F.guestInterruptStatus)).toBe(0n);
    const silent = requested(0, vector, 0, 2, (r) => r.set(bitmap, 0xffff_ffff_ffff_ffffn ^ (1n << BigInt(vector & 63))));
    expect(eoi(silent)).toBe('ok');
  });

  it('EOI goes back to the next interrupt in service and recognizes what waited', () => {
    const rig = requested(0x45, 0x51, 0, 0x202, (r) => setVapic(r, 0x110, 1 << 1)); // 21H in service too
    rig.boundary();
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
    expect(eoi(rig)).toBe('ok');
    expect(status(rig)).toEqual([0x45, 0x21]);
    rig.boundary();
    expect(rig.cpu.rip).toBe(handlerOf(0x45));
  });

  it.each([
    [0x20, 'ok'],
    [0xff, 'ok'],
    [0x10, 'ok'],
    [0x0f, 'exit 56'],
    [0, 'exit 56'],
  ] as const)('self-IPI of vector %d: %s', (vector, outcome) => {
    const rig = requested(0, 0, 0xff, 0x202);
    rig.cpu.setGpr32(1, 0x83f);
    rig.cpu.setGpr32(0, vector);
    rig.cpu.setGpr32(2, 0);
    expect(rig.run(insn('wrmsr', { length: 2 }))).toBe(outcome);
    if (outcome === 'ok') expect(status(rig)).toEqual([vector, 0]);
    else expect(rig.get(F.exitQualification)).toBe(0x3f0n);
  });

  it.each([
    ['fixed, edge, self', 0x4_0051, 'nothing'],
    ['level assert and logical do not matter', 0x4_4851, 'nothing'],
    ['to all', 0x8_0051, 'exit 56'],
    ['level-triggered', 0x4_8051, 'exit 56'],
    ['lowest priority', 0x4_0151, 'exit 56'],
    ['NMI', 0x4_0451, 'exit 56'],
    ['a vector below 16', 0x4_000f, 'exit 56'],
    ['a reserved bit', 0x14_0051, 'exit 56'],
    ['delivery pending', 0x4_1051, 'exit 56'],
  ] as const)('a write of ICR_LO, %s: %s', (_, icr, outcome) => {
    const rig = apicGuest(Secondary.virtualizeApicAccesses | Secondary.virtualInterruptDelivery, (r) => setVapic(r, 0x80, 0xff));
    writeLinear(rig.cpu, BigInt(PAGE + 0x300), 4, BigInt(icr));
    expect(rig.boundary()).toBe(outcome);
    if (outcome === 'nothing') expect(status(rig)).toEqual([0x51, 0]);
    else expect(rig.get(F.exitQualification)).toBe(0x300n);
  });
});

describe('posted interrupts (30.6)', () => {
  const NOTIFICATION = 0xf2;
  const posting = (pir: readonly number[], tpr = 0, flags = 0x202): Rig =>
    apicGuest(Secondary.virtualInterruptDelivery, (rig) => {
      rig.bits(F.pinControls, Pin.postedInterrupts);
      rig.set(F.postedNotificationVector, NOTIFICATION);
      rig.set(F.postedDescriptorAddress, DESCRIPTOR);
      rig.set(F.guestRflags, flags);
      setVapic(rig, 0x80, tpr);
      const ram = rig.machine.memory;
      for (const v of pir) ram.write(DESCRIPTOR + (v >> 5) * 4, 4, ram.read(DESCRIPTOR + (v >> 5) * 4, 4) | (1 << (v & 31)));
      ram.write(DESCRIPTOR + 32, 4, 0xffff_0003);
    });
  const interrupt = (rig: Rig, vector: number): Outcome | 'nothing' => {
    (rig.cpu.irq as unknown as { vectors: number[] }).vectors.push(vector);
    rig.cpu.raise(L.Pending.interrupt);
    rig.cpu.guest!.boundary(rig.cpu);
    return rig.cpu.guest ? 'nothing' : `exit ${rig.vmcs.num(F.exitReason)}`;
  };

  it('the notification moves PIR to VIRR and delivers the highest', () => {
    const rig = posting([0x31, 0x80, 0xe5]);
    expect(interrupt(rig, NOTIFICATION)).toBe('nothing');
    expect(rig.cpu.rip).toBe(handlerOf(0xe5));
    for (let n = 0; n < 8; n++) expect(rig.machine.memory.read(DESCRIPTOR + n * 4, 4)).toBe(0);
    expect(rig.machine.memory.read(DESCRIPTOR + 32, 4)).toBe(0xffff_0002);
    expect(rig.vmcs.num(F.guestInterruptStatus)).toBe(0xe580);
    expect(vapic(rig, 0x200 + 16)).toBe((1 << 17) >>> 0);
  });

  it('is held by the priority, not lost', () => {
    const rig = posting([0x31], 0x70);
    expect(interrupt(rig, NOTIFICATION)).toBe('nothing');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
    expect(rig.vmcs.num(F.guestInterruptStatus)).toBe(0x31);
  });

  it('happens with IF 0 too, without delivery', () => {
    const rig = posting([0x90], 0, 2);
    expect(interrupt(rig, NOTIFICATION)).toBe('nothing');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
    expect(rig.vmcs.num(F.guestInterruptStatus)).toBe(0x90);
  });

  it('another vector exits with its number', () => {
    const rig = posting([0x90]);
    expect(interrupt(rig, 0x66)).toBe('exit 1');
    expect(rig.get(F.exitInterruptionInfo)).toBe(0x8000_0066n);
    expect(rig.machine.memory.read(DESCRIPTOR + 16, 4)).toBe((1 << 16) >>> 0);
  });

  it('an empty PIR changes nothing', () => {
    const rig = posting([]);
    expect(interrupt(rig, NOTIFICATION)).toBe('nothing');
    expect(rig.vmcs.num(F.guestInterruptStatus)).toBe(0);
  });
});
