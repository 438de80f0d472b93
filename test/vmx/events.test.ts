import { describe, expect, it } from 'vitest';
import { Activity, CR0, Flag } from '../../src/machine/cpu/cpu.ts';
import type { GuestEvent } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { Entry, Exit, Pin, Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, handlerOf, inRoot, insn, memory, Rig, type Outcome } from './rig.ts';

const hardware = (vector: number, errorCode?: number): GuestEvent => ({ vector, type: 'hardware', errorCode });
const VALID = 0x8000_0000n;
const RF = BigInt(Flag.RF);

describe('exception bitmap (SDM Vol. 3, 25.6.3)', () => {
  const vectors = [0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 18, 19];
  const codes = new Set([8, 10, 11, 12, 13, 17]);
  it.each(vectors)('vector %d exits when its bit is set and is delivered otherwise', (vector) => {
    const event = hardware(vector, codes.has(vector) ? 0x18 : undefined);
    const delivered = new Rig().inGuest((r) => r.set(F.exceptionBitmap, BigInt(0xffff_bfff & ~(1 << vector)) & 0xffff_ffffn));
    expect(delivered.event(event)).toBe('ok');
    expect(delivered.cpu.rip).toBe(handlerOf(vector));
    const rig = new Rig().inGuest((r) => r.set(F.exceptionBitmap, BigInt(1 << vector)));
    expect(rig.event(event)).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | 0x300n | BigInt(vector) | (codes.has(vector) ? 0x800n : 0n));
    expect(rig.get(F.exitInterruptionErrorCode)).toBe(codes.has(vector) ? 0x18n : 0n);
    expect(rig.get(F.guestRip)).toBe(BigInt(At.guestCode));
    const fault = ![1, 3, 4, 8, 18].includes(vector);
    expect(rig.get(F.guestRflags) & RF).toBe(fault ? RF : 0n);
  });

  // bit, mask, match, error code: exits?
  it.each([
    [1, 0, 0, 0, true],
    [1, 0, 0, 7, true],
    [1, 1, 1, 1, true],
    [1, 1, 1, 2, false],
    [1, 4, 0, 5, false],
    [1, 0, 1, 1, false],
    [0, 0, 0, 0, false],
    [0, 1, 1, 2, true],
    [0, 1, 1, 3, false],
    [0, 0, 0xffff_ffff, 0, true],
  ])('#PF: bit %d, mask %d, match %d, error code %d: exit %s', (bit, mask, match, errorCode, exits) => {
    const rig = new Rig().inGuest((r) => {
      r.set(F.exceptionBitmap, bit << 14);
      r.set(F.pageFaultMask, mask);
      r.set(F.pageFaultMatch, match);
    });
    expect(rig.event(hardware(14, errorCode))).toBe(exits ? 'exit 0' : 'ok');
  });

  it('a page fault that exits reports its address and leaves CR2 alone', () => {
    const rig = new Rig().inGuest((r) => r.set(F.exceptionBitmap, 1 << 14));
    rig.cpu.cr2 = 0x1234n;
    let fault: unknown;
    try {
      readLinear(rig.cpu, 0xdead_b000n, 8);
    } catch (e) {
      fault = e;
    }
    expect(rig.event(hardware((fault as { vector: number }).vector, (fault as { errorCode: number }).errorCode))).toBe('exit 0');
    expect(rig.get(F.exitQualification)).toBe(0xdead_b000n);
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | 0xb0en);
    expect(rig.cpu.cr2).toBe(0x1234n);
  });

  it.each([
    ['INT3', 'software-exception', 3, 0x603n, 1],
    ['INTO', 'software-exception', 4, 0x604n, 1],
    ['INT1', 'privileged-software', 1, 0x501n, 1],
  ] as const)('%s reports its type and length', (_, type, vector, info, length) => {
    const rig = new Rig().inGuest((r) => r.set(F.exceptionBitmap, 0x1a));
    expect(rig.event({ vector, type, errorCode: undefined, length })).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | info);
    expect(rig.get(F.exitInstructionLength)).toBe(BigInt(length));
  });

  it('INT n never exits', () => {
    const rig = new Rig().inGuest((r) => r.set(F.exceptionBitmap, 0xffff_ffffn));
    expect(rig.event({ vector: 3, type: 'software', errorCode: undefined, length: 2 })).toBe('ok');
  });

  it('#DB reports its causes', () => {
    const rig = new Rig().inGuest((r) => r.set(F.exceptionBitmap, 2));
    rig.cpu.setU64(L.PENDING_DEBUG, 0x4001n);
    expect(rig.event(hardware(1))).toBe('exit 0');
    expect(rig.get(F.exitQualification)).toBe(0x4001n);
    expect(rig.get(F.guestPendingDebug)).toBe(0n);
  });
});

describe('exits during event delivery (SDM Vol. 3, 28.2.4)', () => {
  const noIdt = (rig: Rig): void => rig.set(F.guestIdtrLimit, 0);
  it('a fault while delivering records the first event', () => {
    const rig = new Rig().inGuest((r) => {
      noIdt(r);
      r.set(F.exceptionBitmap, 1 << 13);
    });
    expect(rig.event({ vector: 0x40, type: 'external', errorCode: undefined })).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | 0xb0dn);
    expect(rig.get(F.exitInterruptionErrorCode)).toBe(0x203n);
    expect(rig.get(F.idtVectoringInfo)).toBe(VALID | 0x40n);
  });

  it('a software interrupt keeps its length', () => {
    const rig = new Rig().inGuest((r) => {
      noIdt(r);
      r.set(F.exceptionBitmap, 1 << 13);
    });
    expect(rig.event({ vector: 0x80, type: 'software', errorCode: undefined, length: 2 })).toBe('exit 0');
    expect(rig.get(F.idtVectoringInfo)).toBe(VALID | 0x480n);
    expect(rig.get(F.exitInstructionLength)).toBe(2n);
  });

  it('a page fault while delivering a page fault is seen before it becomes a double fault', () => {
    const rig = new Rig().inGuest((r) => {
      r.set(F.guestIdtrBase, 0xdead_0000);
      r.set(F.exceptionBitmap, 1 << 14);
      // Only faults of supervisor reads exit: the first has error code 7.
      r.set(F.pageFaultMask, 7);
      r.set(F.pageFaultMatch, 0);
    });
    expect(rig.event(hardware(14, 7))).toBe('exit 0');
    expect(rig.get(F.exitQualification)).toBe(0xdead_00e0n);
    expect(rig.get(F.idtVectoringInfo)).toBe(VALID | 0xb0en);
    expect(rig.get(F.idtVectoringErrorCode)).toBe(7n);
  });

  it('a double fault exits without IDT-vectoring information, a triple fault too', () => {
    const df = new Rig().inGuest((r) => {
      noIdt(r);
      r.set(F.exceptionBitmap, 1 << 8);
    });
    expect(df.event(hardware(13, 0))).toBe('exit 0');
    expect(df.get(F.exitInterruptionInfo)).toBe(VALID | 0xb08n);
    expect(df.get(F.idtVectoringInfo)).toBe(0n);
    const tf = new Rig().inGuest(noIdt);
    expect(tf.event(hardware(13, 0))).toBe('exit 2');
    expect(tf.get(F.idtVectoringInfo)).toBe(0n);
    expect(tf.machine.requests).toEqual([]);
  });
});

describe('event injection (SDM Vol. 3, 27.6)', () => {
  // name, interruption information, error code, instruction length, RFLAGS: pushed RIP offset, error code pushed
  const cases: readonly (readonly [string, number, number, number, number, number, boolean])[] = [
    ['external interrupt', 0x31, 0, 0, 0x202, 0, false],
    ['NMI', 0x202, 0, 0, 2, 0, false],
    ['#UD', 0x306, 0, 0, 2, 0, false],
    ['#GP', 0xb0d, 0x10, 0, 2, 0, true],
    ['#PF', 0xb0e, 6, 0, 2, 0, true],
    ['INT n', 0x480, 0, 2, 2, 2, false],
    ['INT1', 0x501, 0, 1, 2, 1, false],
    ['INT3', 0x603, 0, 1, 2, 1, false],
    ['INT3 of length 0', 0x603, 0, 0, 2, 0, false],
  ];
  it.each(cases)('%s', (_, info, errorCode, length, flags, offset, hasCode) => {
    const rig = new Rig().ready();
    rig.set(F.entryInterruptionInfo, BigInt((0x8000_0000 | info) >>> 0));
    rig.set(F.entryExceptionErrorCode, errorCode);
    rig.set(F.entryInstructionLength, length);
    rig.set(F.guestRflags, flags);
    rig.set(F.exceptionBitmap, 0xffff_ffffn); // injection is not intercepted
    rig.set(F.pageFaultMatch, 0);
    expect(rig.launch()).toBe('ok');
    const { cpu, machine } = rig;
    expect(cpu.rip).toBe(handlerOf(info & 0xff));
    const sp = Number(cpu.rsp);
    if (hasCode) expect(machine.memory.read64(sp)).toBe(BigInt(errorCode));
    expect(machine.memory.read64(sp + (hasCode ? 8 : 0))).toBe(BigInt(At.guestCode + offset));
    expect(cpu.interruptibility).toBe((info & 0x700) === 0x200 ? 8 : 0);
  });

  it('into HLT makes the processor active', () => {
    const rig = new Rig().ready();
    rig.set(F.guestActivity, Activity.hlt);
    rig.set(F.guestRflags, 0x202);
    rig.set(F.entryInterruptionInfo, 0x8000_0031n);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.activity).toBe(Activity.active);
  });

  it('a fault while injecting exits with IDT-vectoring information', () => {
    const rig = new Rig().ready();
    rig.set(F.guestIdtrLimit, 0);
    rig.set(F.exceptionBitmap, 1 << 13);
    rig.set(F.entryInterruptionInfo, 0x8000_0306n);
    expect(rig.launch()).toBe('exit 0');
    expect(rig.get(F.idtVectoringInfo)).toBe(VALID | 0x306n);
    expect(rig.get(F.entryInterruptionInfo)).toBe(0x306n);
    expect(rig.cpu.rip).toBe(BigInt(At.hostRip));
    expect(rig.vmcs.launchState).toBe(1);
  });

  // Interruption information, interruptibility, activity: pending debug exceptions survive? 27.7.3
  it.each([
    [0n, 0, 0, true],
    [0n, 0, 2, false],
    [0x8000_0202n, 0, 0, false],
    [0x8000_0306n, 0, 0, false],
    [0x8000_0480n, 0, 0, false],
    [0x8000_0480n, 2, 0, true],
    [0x8000_0501n, 2, 0, false],
  ])('pending debug exceptions with %d, blocking %d, activity %d: %s', (info, blocking, activity, kept) => {
    const rig = new Rig().ready();
    rig.set(F.entryInterruptionInfo, info);
    rig.set(F.entryInstructionLength, 2);
    rig.set(F.guestInterruptibility, blocking);
    rig.set(F.guestActivity, activity);
    rig.set(F.guestPendingDebug, 1);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.u64(L.PENDING_DEBUG)).toBe(kept ? 1n : 0n);
    expect((rig.cpu.pending & L.Pending.debug) !== 0).toBe(kept);
  });
});

interface Boundary {
  readonly name: string;
  readonly pin?: number;
  readonly primary?: number;
  readonly exit?: number;
  readonly rflags?: number;
  readonly blocking?: number;
  readonly activity?: number;
  readonly pending: number;
  readonly vector?: number;
  readonly outcome: Outcome | 'nothing';
  readonly interruption?: bigint;
  readonly qualification?: bigint;
}

const { Pending: P } = L;
const NMIS = Pin.nmiExiting | Pin.virtualNmis;
const boundaries: readonly Boundary[] = [
  { name: 'external interrupt', pin: Pin.externalInterruptExiting, pending: P.interrupt, vector: 0x50, outcome: 'exit 1' },
  { name: 'external interrupt, acknowledged', pin: Pin.externalInterruptExiting, exit: Exit.acknowledgeInterrupt, pending: P.interrupt, vector: 0x50, outcome: 'exit 1', interruption: VALID | 0x50n },
  { name: 'external interrupt, not intercepted', pending: P.interrupt, vector: 0x50, outcome: 'nothing' },
  { name: 'external interrupt withdrawn by the controller', pin: Pin.externalInterruptExiting, pending: P.interrupt, outcome: 'nothing' },
  { name: 'external interrupt in the shadow of STI', pin: Pin.externalInterruptExiting, rflags: 0x202, blocking: 1, pending: P.interrupt, vector: 0x50, outcome: 'nothing' },
  { name: 'external interrupt in the shadow of MOV SS', pin: Pin.externalInterruptExiting, blocking: 2, pending: P.interrupt, vector: 0x50, outcome: 'nothing' },
  { name: 'external interrupt in HLT', pin: Pin.externalInterruptExiting, activity: 1, pending: P.interrupt, vector: 0x50, outcome: 'exit 1' },
  { name: 'external interrupt in shutdown', pin: Pin.externalInterruptExiting, activity: 2, pending: P.interrupt, vector: 0x50, outcome: 'nothing' },
  { name: 'external interrupt in wait-for-SIPI', pin: Pin.externalInterruptExiting, activity: 3, pending: P.interrupt, vector: 0x50, outcome: 'nothing' },
  { name: 'NMI', pin: Pin.nmiExiting, pending: P.nmi, outcome: 'exit 0', interruption: VALID | 0x202n },
  { name: 'NMI, not intercepted', pending: P.nmi, outcome: 'nothing' },
  { name: 'NMI, blocked by NMI', pin: Pin.nmiExiting, blocking: 8, pending: P.nmi, outcome: 'nothing' },
  { name: 'NMI with virtual NMIs, virtual blocking does not hold it off', pin: NMIS, blocking: 8, pending: P.nmi, outcome: 'exit 0', interruption: VALID | 0x202n },
  { name: 'NMI, blocked by MOV SS', pin: NMIS, blocking: 2, pending: P.nmi, outcome: 'nothing' },
  { name: 'NMI in shutdown', pin: NMIS, activity: 2, pending: P.nmi, outcome: 'exit 0', interruption: VALID | 0x202n },
  { name: 'NMI in wait-for-SIPI', pin: NMIS, activity: 3, pending: P.nmi, outcome: 'nothing' },
  { name: 'INIT', pending: P.init, outcome: 'exit 3' },
  { name: 'INIT in shutdown', activity: 2, pending: P.init, outcome: 'exit 3' },
  { name: 'INIT in wait-for-SIPI', activity: 3, pending: P.init, outcome: 'nothing' },
  { name: 'SIPI in wait-for-SIPI', activity: 3, pending: P.sipi | (0x9a << 24), outcome: 'exit 4', qualification: 0x9an },
  { name: 'SIPI otherwise is dropped', pending: P.sipi | (0x12 << 24), outcome: 'nothing' },
  { name: 'interrupt window', primary: Primary.interruptWindowExiting, rflags: 0x202, pending: 0, outcome: 'exit 7' },
  { name: 'interrupt window with IF 0', primary: Primary.interruptWindowExiting, pending: 0, outcome: 'nothing' },
  { name: 'interrupt window in the shadow of STI', primary: Primary.interruptWindowExiting, rflags: 0x202, blocking: 1, pending: 0, outcome: 'nothing' },
  { name: 'interrupt window in HLT', primary: Primary.interruptWindowExiting, rflags: 0x202, activity: 1, pending: 0, outcome: 'exit 7' },
  { name: 'interrupt window before an external interrupt', pin: Pin.externalInterruptExiting, primary: Primary.interruptWindowExiting, rflags: 0x202, pending: P.interrupt, vector: 0x50, outcome: 'exit 7' },
  { name: 'external interrupt where the window is closed', pin: Pin.externalInterruptExiting, primary: Primary.interruptWindowExiting, pending: P.interrupt, vector: 0x50, outcome: 'exit 1' },
  { name: 'NMI window', pin: NMIS, primary: Primary.nmiWindowExiting, pending: 0, outcome: 'exit 8' },
  { name: 'NMI window, virtual NMIs blocked', pin: NMIS, primary: Primary.nmiWindowExiting, blocking: 8, pending: 0, outcome: 'nothing' },
  { name: 'NMI window, blocked by MOV SS', pin: NMIS, primary: Primary.nmiWindowExiting, blocking: 2, pending: 0, outcome: 'nothing' },
  { name: 'NMI window before an NMI', pin: NMIS, primary: Primary.nmiWindowExiting, pending: P.nmi, outcome: 'exit 8' },
  { name: 'NMI before the interrupt window', pin: NMIS, primary: Primary.interruptWindowExiting, rflags: 0x202, pending: P.nmi, outcome: 'exit 0', interruption: VALID | 0x202n },
  { name: 'a debug trap before all but INIT', pin: NMIS, primary: Primary.nmiWindowExiting, pending: P.debug | P.nmi, outcome: 'nothing' },
  { name: 'INIT before a debug trap', pending: P.debug | P.init, outcome: 'exit 3' },
]; // prettier-ignore

describe('instruction boundaries', () => {
  it.each(boundaries.map((b) => [b.name, b] as const))('%s', (_, b) => {
    const rig = new Rig().inGuest((r) => {
      r.bits(F.pinControls, b.pin ?? 0);
      r.primary(b.primary ?? 0);
      r.bits(F.exitControls, b.exit ?? 0);
      r.set(F.guestRflags, b.rflags ?? 2);
      r.set(F.guestInterruptibility, b.blocking ?? 0);
      r.set(F.guestActivity, b.activity ?? 0);
    });
    const windows = (b.primary ?? 0) & (Primary.interruptWindowExiting | Primary.nmiWindowExiting);
    expect((rig.cpu.pending & P.window) !== 0).toBe(windows !== 0);
    const irq = rig.cpu.irq as unknown as { vectors: number[] };
    if (b.vector !== undefined) irq.vectors.push(b.vector);
    rig.cpu.raise(b.pending);
    expect(rig.boundary()).toBe(b.outcome);
    if (b.outcome === 'nothing') return;
    expect(rig.get(F.exitInterruptionInfo)).toBe(b.interruption ?? 0n);
    expect(rig.get(F.exitQualification)).toBe(b.qualification ?? 0n);
    expect(rig.get(F.guestActivity)).toBe(BigInt(b.activity ?? 0));
    expect(rig.get(F.guestInterruptibility)).toBe(BigInt(b.blocking ?? 0));
    expect(rig.cpu.activity).toBe(Activity.active);
    expect(rig.cpu.pending & P.window).toBe(0);
    const nmi = b.outcome === 'exit 0';
    expect(rig.cpu.interruptibility).toBe(nmi ? 8 : 0);
    expect(rig.cpu.pending & (nmi ? P.nmi : b.outcome === 'exit 3' ? P.init : 0)).toBe(0);
    expect(irq.vectors.length).toBe(b.vector !== undefined && b.interruption === undefined ? 1 : 0);
  });
});

describe('IRET and NMIs (SDM Vol. 3, 26.3)', () => {
  const iretTo = (rig: Rig, rip: number): void => {
    const sp = At.guestStack - 40;
    [rip, 8, 2, At.guestStack, 0x10].forEach((v, n) => rig.machine.memory.write64(sp + n * 8, BigInt(v)));
    rig.cpu.rsp = BigInt(sp);
  };
  it.each([
    ['without NMI exiting', 0, 0],
    ['with NMI exiting alone', Pin.nmiExiting, 8],
    ['with virtual NMIs', NMIS, 0],
  ])('%s', (_, pin, after) => {
    const rig = new Rig().inGuest((r) => {
      r.bits(F.pinControls, pin);
      r.set(F.guestInterruptibility, 8);
    });
    iretTo(rig, At.guestCode + 0x100);
    expect(rig.run(insn('iret', { opsize: 64, length: 2 }))).toBe('ok');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode + 0x100));
    expect(rig.cpu.interruptibility).toBe(after);
  });

  it.each([true, false])('a page fault of an IRET reports NMI unblocking when NMIs were blocked (%s)', (blocked) => {
    const rig = new Rig().inGuest((r) => {
      r.bits(F.pinControls, NMIS);
      r.set(F.guestInterruptibility, blocked ? 8 : 0);
      r.set(F.exceptionBitmap, 1 << 14);
    });
    rig.cpu.rsp = 0xdead_0000n;
    expect(rig.run(insn('iret', { opsize: 64, length: 2 }))).toBe('#14(0)');
    expect(rig.event(hardware(14, 0))).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | 0xb0en | (blocked ? 0x1000n : 0n));
    expect(rig.get(F.guestInterruptibility)).toBe(0n);
  });
});

describe('activity states', () => {
  it.each([0, 1, 2, 3])('VM entry to state %d', (activity) => {
    const rig = new Rig().inGuest((r) => r.set(F.guestActivity, activity));
    expect(rig.cpu.activity).toBe(activity);
  });
});

describe('real-address mode with "unrestricted guest"', () => {
  const real = (r: Rig): void => {
    r.ept();
    r.secondary(Secondary.unrestrictedGuest);
    r.bits(F.entryControls, 0, Entry.ia32eModeGuest);
    r.bits(F.guestCr0, 0, (CR0.PE | CR0.PG) >>> 0);
    r.set(F.guestRip, 0x7c00);
    r.set(F.guestCsAccessRights, 0x9b);
    r.set(F.guestCsLimit, 0xffff);
    r.set(F.guestCsSelector, 0);
    r.set(F.guestSsAccessRights, 0x93);
    r.set(F.guestSsLimit, 0xffff);
    r.set(F.guestIdtrLimit, 0x3ff);
  };

  it('enters, has no error codes and comes back', () => {
    const rig = new Rig().inGuest((r) => {
      real(r);
      r.set(F.exceptionBitmap, 1 << 13);
    });
    expect(rig.cpu.realMode).toBe(true);
    expect(rig.cpu.longMode).toBe(false);
    expect(rig.cpu.u32(L.CODE_SIZE)).toBe(0);
    expect(rig.event(hardware(13, 0))).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(VALID | 0x30dn);
    expect(inRoot(rig.cpu) && rig.cpu.longMode && rig.cpu.code64).toBe(true);
    expect(rig.get(F.entryControls) & BigInt(Entry.ia32eModeGuest)).toBe(0n);
  });

  it('VMX instructions but VMCALL are #UD there', () => {
    const rig = new Rig().inGuest(real);
    expect(rig.run(insn('vmptrld', memory(At.operand)))).toBe('#6');
    expect(rig.run(insn('vmcall'))).toBe('exit 18');
  });
});

it('a write through a fault-free page stays a write: the guest runs on the VMCS page tables', () => {
  const rig = new Rig().inGuest();
  writeLinear(rig.cpu, BigInt(At.operand), 8, 0x55n);
  expect(rig.machine.memory.read64(At.operand)).toBe(0x55n);
});
