import { beforeEach, describe, expect, test } from 'vitest';
import { Flag } from '../../src/machine/cpu/cpu.ts';
import { Bench, OK, RETURN, STACK } from './harness.ts';

let b: Bench;
beforeEach(() => void (b = new Bench()));

const INVALID = 'EFI_INVALID_PARAMETER';
const [TIMER, WAIT, SIGNAL] = [0x8000_0000, 0x100, 0x200];
const NOTIFY = 0x5_0000; // where the test's notification function would lie
const MS = 10_000; // in 100 ns

function create(type: number, tpl = 8, notify = 0, context: number | bigint = 0): number {
  const at = b.cell();
  expect(b.call('CreateEvent', type, tpl, notify, context, at)).toBe(OK);
  return b.u64(at);
}
const interrupts = (): boolean => (b.cpu.sysflags & Flag.IF) !== 0;

/** The timer interrupt's stub calls the tick; the test plays the stub. */
function tick(ms = 10): void {
  b.machine.clock.advance(ms * 1e6);
  b.cpu.sysflags &= ~Flag.IF;
  b.prepare('Tick', []);
  b.step();
}

describe('CreateEvent', () => {
  test.each([
    ['plain', 0, 0, 0, OK],
    ['timer', TIMER, 0, 0, OK],
    ['timer with signal', TIMER | SIGNAL, 8, NOTIFY, OK],
    ['wait', WAIT, 16, NOTIFY, OK],
    ['exit boot services', 0x201, 16, NOTIFY, OK],
    ['virtual address change', 0x6000_0202, 16, NOTIFY, OK],
    ['both kinds of notification', WAIT | SIGNAL, 8, NOTIFY, INVALID],
    ['no function', SIGNAL, 8, 0, INVALID],
    ['TPL_APPLICATION', SIGNAL, 4, NOTIFY, INVALID],
    ['TPL_HIGH_LEVEL', SIGNAL, 31, NOTIFY, INVALID],
    ['unknown type', 0x203, 8, NOTIFY, INVALID],
    ['unknown bits', 1, 8, NOTIFY, INVALID],
  ])('%s', (_name, type, tpl, notify, status) => expect(b.call('CreateEvent', type, tpl, notify, 0, b.cell())).toBe(status));
  test('no result pointer', () => expect(b.call('CreateEvent', 0, 0, 0, 0, 0)).toBe(INVALID));
  test('CreateEventEx refuses the special types with a group', () => {
    const group = b.guid('11111111-2222-3333-4444-555555555555');
    expect(b.call('CreateEventEx', 0x201, 8, NOTIFY, 0, group, b.cell())).toBe(INVALID);
    expect(b.call('CreateEventEx', SIGNAL, 8, NOTIFY, 0, group, b.cell())).toBe(OK);
  });
});

describe('SignalEvent and CheckEvent', () => {
  test('a plain event is signaled once', () => {
    const e = create(0);
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
    expect(b.call('SignalEvent', e)).toBe(OK);
    expect(b.call('CheckEvent', e)).toBe(OK);
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
  });
  test('a signal event calls its function before SignalEvent returns', () => {
    const e = create(SIGNAL, 8, NOTIFY, 0xffff_8000_1234_5678n);
    b.prepare('SignalEvent', [e]);
    b.cpu.setGpr(3, 0x77n);
    b.step();
    expect(b.cpu.rip).toBe(BigInt(NOTIFY));
    expect([b.cpu.gpr(1), b.cpu.gpr(2)]).toEqual([BigInt(e), 0xffff_8000_1234_5678n]);
    expect((b.cpu.rsp + 8n) % 16n, 'stack alignment at entry').toBe(0n);
    expect(b.fw.state.tpl).toBe(8);
    b.returnFromGuest(99n);
    expect([b.cpu.rip, b.cpu.gpr(0), b.cpu.gpr(3), b.fw.state.tpl]).toEqual([RETURN, 0n, 0x77n, 4]);
    expect(b.cpu.rsp).toBe(BigInt(STACK) - 0x80n);
    expect(b.fw.state.frames).toEqual([]);
    expect(b.call('CheckEvent', e)).toBe(INVALID);
  });
  test('functions run in order of priority, then of signalling; TPL holds them back', () => {
    const [low1, low2, high] = [create(SIGNAL, 8, 0x5_1000), create(SIGNAL, 8, 0x5_2000), create(SIGNAL, 16, 0x5_3000)];
    expect(b.raw('RaiseTPL', 31)).toBe(4n);
    expect(interrupts()).toBe(false);
    for (const e of [low1, low2, high]) expect(b.call('SignalEvent', e)).toBe(OK);
    b.prepare('RestoreTPL', [8]);
    b.step();
    expect(b.at).toBe('0x53000');
    b.returnFromGuest();
    expect(b.cpu.rip).toBe(RETURN);
    expect(interrupts()).toBe(true);
    b.cpu.rsp = BigInt(STACK);
    b.prepare('RestoreTPL', [4]);
    b.step();
    expect(b.at).toBe('0x51000');
    b.returnFromGuest();
    expect(b.at).toBe('0x52000');
    b.returnFromGuest();
    expect(b.cpu.rip).toBe(RETURN);
  });
  test('a group is signaled whole', () => {
    const group = b.guid('11111111-2222-3333-4444-555555555555');
    const cells = [b.cell(), b.cell()];
    for (const c of cells) b.call('CreateEventEx', 0, 0, 0, 0, group, c);
    b.call('SignalEvent', b.u64(cells[0]!));
    expect(b.call('CheckEvent', b.u64(cells[1]!))).toBe(OK);
  });
  test('a closed event is gone, notification and all', () => {
    const e = create(SIGNAL, 8, NOTIFY);
    b.raw('RaiseTPL', 16);
    b.call('SignalEvent', e);
    expect(b.call('CloseEvent', e)).toBe(OK);
    b.raw('RestoreTPL', 4);
    for (const name of ['SignalEvent', 'CheckEvent', 'CloseEvent']) expect(b.call(name, e), name).toBe(INVALID);
  });
});

describe('RaiseTPL and RestoreTPL', () => {
  test('wrong directions change nothing', () => {
    expect(b.raw('RaiseTPL', 16)).toBe(4n);
    expect(b.raw('RaiseTPL', 8)).toBe(16n);
    b.raw('RestoreTPL', 31);
    expect(b.fw.state.tpl).toBe(16);
  });
  test("a caller's CLI survives below TPL_HIGH_LEVEL", () => {
    b.cpu.sysflags &= ~Flag.IF;
    b.raw('RaiseTPL', 16);
    b.raw('RestoreTPL', 4);
    expect(interrupts()).toBe(false);
  });
});

describe('timers and the tick', () => {
  test('relative: once, not before its time', () => {
    const e = create(TIMER);
    expect(b.call('SetTimer', e, 2, 25 * MS)).toBe(OK);
    tick();
    tick();
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
    tick();
    expect(b.call('CheckEvent', e)).toBe(OK);
    tick(100);
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
  });
  test('periodic: again and again; late ticks signal once; cancel ends it', () => {
    const e = create(TIMER);
    b.call('SetTimer', e, 1, 20 * MS);
    for (let n = 0; n < 3; n++) {
      tick(20);
      expect(b.call('CheckEvent', e)).toBe(OK);
    }
    tick(200);
    expect(b.call('CheckEvent', e)).toBe(OK);
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
    b.call('SetTimer', e, 0, 0);
    tick(200);
    expect(b.call('CheckEvent', e)).toBe('EFI_NOT_READY');
  });
  test.each([
    ['type 3', 3, TIMER, INVALID],
    ['not a timer', 1, 0, INVALID],
  ])('SetTimer: %s', (_n, type, kind, status) => expect(b.call('SetTimer', create(kind), type, 1)).toBe(status));

  test('a notification interrupts the program with interrupts on and gives every register back', () => {
    const e = create(TIMER | SIGNAL, 8, NOTIFY);
    b.call('SetTimer', e, 2, 10 * MS);
    for (let n = 0; n < 16; n++) if (n !== 4) b.cpu.setGpr(n, BigInt(0x1000 + n));
    const xmm = b.cpu.block + 0xc00;
    b.machine.linear.u8.fill(0x5a, xmm, xmm + 32);
    tick();
    expect(b.cpu.rip).toBe(BigInt(NOTIFY));
    expect(interrupts()).toBe(true);
    for (let n = 0; n < 16; n++) if (n !== 4) b.cpu.setGpr(n, 1n);
    b.machine.linear.u8.fill(0, xmm, xmm + 32);
    b.returnFromGuest();
    expect(b.cpu.rip).toBe(RETURN);
    expect(interrupts(), 'IRETQ turns them on').toBe(false);
    for (let n = 1; n < 16; n++) if (n !== 4) expect(b.cpu.gpr(n), `register ${n}`).toBe(BigInt(0x1000 + n));
    expect(b.machine.linear.u8[xmm + 31]).toBe(0x5a);
  });
  test('a tick within a notification: nested, at the higher priority only', () => {
    const [low, high] = [create(TIMER | SIGNAL, 8, 0x5_1000), create(TIMER | SIGNAL, 16, 0x5_2000)];
    b.call('SetTimer', low, 1, 10 * MS);
    b.call('SetTimer', high, 2, 15 * MS);
    tick();
    expect(b.at).toBe('0x51000');
    const inner = b.cpu.rsp;
    tick();
    expect(b.at, 'the periodic one waits').toBe('0x52000');
    b.returnFromGuest();
    expect(b.cpu.rip).toBe(RETURN);
    b.cpu.rsp = inner;
    b.returnFromGuest();
    expect(b.at, 'now it runs again').toBe('0x51000');
    b.returnFromGuest();
    expect(b.fw.state.frames).toEqual([]);
  });
  test('SetWatchdogTimer resets the machine unless it is disarmed', () => {
    b.call('SetWatchdogTimer', 1, 0x10000, 0, 0);
    tick(900);
    expect(b.machine.requests).toEqual([]);
    b.call('SetWatchdogTimer', 0, 0x10000, 0, 0);
    tick(900);
    expect(b.machine.requests).toEqual([]);
    b.call('SetWatchdogTimer', 1, 0x10000, 0, 0);
    tick(1000);
    expect(b.machine.requests).toEqual([{ what: 'reset', code: undefined }]);
  });
});

test('the tick is periodic, 10 ms of a 100 MHz timer, on vector 0x20; ExitBootServices stops it', () => {
  expect([0x320, 0x380, 0x3e0, 0xf0].map((r) => b.lapic.get(r))).toEqual([0x2_0020, 1_000_000, 0xb, 0x1ff]);
  const { handle } = b.fw.state.handles[0]!;
  expect(b.call('ExitBootServices', handle, b.fw.state.map.key)).toBe(OK);
  expect([0x320, 0x380].map((r) => b.lapic.get(r))).toEqual([0x1_0020, 0]);
});

describe('WaitForEvent', () => {
  const wait = (events: readonly number[], index: number): void => {
    const list = b.put(8 * events.length);
    events.forEach((e, n) => b.fw.memory.setU64(list + n * 8, e));
    b.prepare('WaitForEvent', [events.length, list, index]);
    b.step();
  };
  test('gives the first signaled event', () => {
    const [one, two] = [create(0), create(0)];
    b.call('SignalEvent', two);
    const index = b.cell(9);
    wait([one, two], index);
    expect([b.cpu.rip, b.cpu.gpr(0), b.u64(index)]).toEqual([RETURN, 0n, 1]);
  });
  test('waits in STI; HLT and finds the timer after a tick', () => {
    const e = create(TIMER);
    b.call('SetTimer', e, 2, 10 * MS);
    const index = b.cell(9);
    wait([e], index);
    expect(b.at).toBe('idle WaitForEvent.again');
    expect([...b.bytes(Number(b.cpu.rip), 3)]).toEqual([0xfb, 0xf4, 0xe9]);
    const saved = Array.from({ length: 16 }, (_, n) => b.cpu.gpr(n));
    tick();
    saved.forEach((v, n) => b.cpu.setGpr(n, v)); // as the interrupt's stub does
    b.cpu.rip = BigInt(b.fw.slot('WaitForEvent.again'));
    b.step();
    expect([b.cpu.rip, b.cpu.gpr(0), b.u64(index)]).toEqual([RETURN, 0n, 0]);
  });
  test('the keyboard', () => {
    const protocol = Number(b.fw.memory.u64(b.fw.layout.runtimeData.base + 48));
    const key = b.u64(protocol + 16);
    expect(b.call('CheckEvent', key)).toBe('EFI_NOT_READY');
    b.fw.key(new TextEncoder().encode('a'));
    const index = b.cell(9);
    wait([key], index);
    expect([b.cpu.rip, b.u64(index)]).toEqual([RETURN, 0]);
    b.cpu.rsp = BigInt(STACK);
    expect(b.call('CheckEvent', key), 'the key is still there').toBe(OK);
    const at = b.cell();
    expect(b.call('ConIn.ReadKeyStroke', protocol, at)).toBe(OK);
    expect(b.u64(at)).toBe(0x61_0000);
    expect(b.call('ConIn.ReadKeyStroke', protocol, at)).toBe('EFI_NOT_READY');
    expect(b.call('CloseEvent', key)).toBe(INVALID);
  });
  test("a wait event's function is asked, and may signal", () => {
    const e = create(WAIT, 8, NOTIFY);
    const index = b.cell(9);
    wait([e], index);
    expect(b.at).toBe('0x50000');
    b.returnFromGuest();
    expect(b.at).toBe('WaitForEvent.asked');
    b.step();
    expect(b.at).toBe('idle WaitForEvent.again');
    b.cpu.rip = BigInt(b.fw.slot('WaitForEvent.again'));
    b.step();
    expect(b.at).toBe('0x50000');
    b.fw.state.events.find((x) => x.event === e)!.signaled = true; // SignalEvent from within
    b.returnFromGuest();
    b.step();
    expect([b.cpu.rip, b.u64(index)]).toEqual([RETURN, 0]);
  });
  test('CheckEvent asks too', () => {
    const e = create(WAIT, 8, NOTIFY);
    b.prepare('CheckEvent', [e]);
    b.step();
    b.returnFromGuest();
    expect(b.at).toBe('CheckEvent.asked');
    b.step();
    expect([b.cpu.rip, b.cpu.gpr(0) & 0xffn]).toEqual([RETURN, 6n]);
  });
  test('errors', () => {
    const index = b.cell(9);
    expect(b.call('WaitForEvent', 0, index, index)).toBe(INVALID);
    expect(b.call('WaitForEvent', 1, 0, index)).toBe(INVALID);
    wait([create(0), create(SIGNAL, 8, NOTIFY)], index);
    expect([b.cpu.gpr(0) & 0xffn, b.u64(index)]).toEqual([2n, 1]);
    b.cpu.rsp = BigInt(STACK);
    b.raw('RaiseTPL', 8);
    wait([create(0)], index);
    expect(b.cpu.gpr(0) & 0xffn).toBe(3n);
  });
});

describe('Stall', () => {
  test('a short one turns in the PAUSE loop for as many instructions as nanoseconds', () => {
    b.prepare('Stall', [3]);
    b.step();
    expect(b.at).toBe('stall spin');
    expect(b.cpu.gpr(11)).toBe(1000n);
    b.machine.clock.advance(3000);
    b.cpu.rip = BigInt(b.fw.slot('Stall.again'));
    b.step();
    expect([b.cpu.rip, b.cpu.gpr(0)]).toEqual([RETURN, 0n]);
  });
  test('a long one halts, and spins only with interrupts off', () => {
    b.prepare('Stall', [1_000_000]);
    b.step();
    expect(b.at).toBe('stall halt');
    b.machine.clock.advance(999_999_000);
    b.cpu.rip = BigInt(b.fw.slot('Stall.again'));
    b.step();
    expect(b.at).toBe('stall spin');
    b.cpu.sysflags &= ~Flag.IF;
    b.cpu.rsp = BigInt(STACK);
    b.prepare('Stall', [1_000_000]);
    b.step();
    expect(b.at).toBe('stall spin');
  });
  test('a guest that has stopped the tick is not halted for ever', () => {
    b.lapic.set(0x320, 0x1_0020);
    b.prepare('Stall', [1_000_000]);
    b.step();
    expect(b.at).toBe('stall spin');
  });
  test('nothing', () => expect(b.call('Stall', 0)).toBe(OK));
});

test('guest code that returns with a stack nobody called from stops the processor, with a message', () => {
  b.cpu.rip = BigInt(b.fw.slot('Continuation'));
  b.step();
  expect(b.at).toBe('halt');
  expect(b.machine.messages.join()).toContain('nothing was called from');
});
