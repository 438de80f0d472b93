import { describe, expect, it } from 'vitest';
import { rig, virtualWire, type Rig } from './rig.ts';

const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff];
const FCR = IIR;
const text = (s: string): number[] => [...Buffer.from(s)];
/** FIFO on with a trigger of 8, all interrupts enabled as given, OUT2. */
function uart(ier = 0, fcr = 0x81): Rig {
  const r = rig();
  virtualWire(r);
  r.out(FCR, fcr);
  r.out(MCR, 0x0b);
  r.out(IER, ier);
  return r;
}
const irq = (r: Rig): boolean => r.pc.pic.vector() === 0x24;
const take = (r: Rig, n: number): string => Buffer.from(Array.from({ length: n }, () => r.in(DATA))).toString();

describe('16550', () => {
  it('sends at once, transmitter always empty', () => {
    const r = uart();
    r.out(DATA, ...text('ok'));
    expect([r.serial, r.in(LSR)]).toEqual([text('ok'), 0x60]);
  });

  it('the divisor hides behind DLAB', () => {
    const r = uart();
    r.out(LCR, 0x83);
    r.out(DATA, 0x01);
    r.out(IER, 0x02);
    expect([r.in(DATA), r.in(IER), r.serial]).toEqual([1, 2, []]);
    r.out(LCR, 0x03);
    expect([r.in(IER), r.in(LCR), r.in(LSR)]).toEqual([0, 3, 0x60]);
  });

  it('receives in order, and what does not fit waits outside', () => {
    const r = uart();
    const line = 'a line that is longer than sixteen bytes';
    r.pc.com1.receive(text(line));
    expect([r.in(LSR), r.pc.com1.unread]).toEqual([0x61, line.length]);
    expect(take(r, line.length)).toBe(line);
    expect([r.in(LSR), r.in(DATA), r.pc.com1.unread]).toEqual([0x60, 0, 0]);
  });

  it.each([
    ['nothing enabled', 0x00, false, 0xc1],
    ['receive data', 0x01, true, 0xc4],
    ['line status alone', 0x04, false, 0xc1],
  ])('eight characters with %s', (_name, ier, raised, iir) => {
    const r = uart(ier);
    r.pc.com1.receive(text('12345678'));
    expect([irq(r), r.in(IIR)]).toEqual([raised, iir]);
    r.in(DATA);
    expect(irq(r)).toBe(false); // below the trigger
  });

  it('below the trigger level: a timeout of four characters', () => {
    const r = uart(1);
    r.pc.com1.receive(text('x'));
    expect([irq(r), r.in(IIR)]).toEqual([false, 0xc1]);
    const due = Math.ceil((4 * 10 * 12 * 1e9) / 115_200); // 9600 baud after reset
    expect(r.clock.nextDeadline()).toBe(due);
    r.clock.advanceTo(due);
    expect([irq(r), r.in(IIR)]).toEqual([true, 0xcc]);
    r.in(DATA);
    expect([irq(r), r.in(IIR), r.clock.nextDeadline()]).toEqual([false, 0xc1, Infinity]);
  });

  it('without FIFO every character interrupts', () => {
    const r = uart(1, 0);
    r.pc.com1.receive(text('ab'));
    expect([irq(r), r.in(IIR), r.in(DATA), irq(r), r.in(DATA), irq(r)]).toEqual([true, 4, 0x61, true, 0x62, false]);
  });

  it('transmitter empty: on enabling, after each write, until IIR is read', () => {
    const r = uart(2);
    expect([irq(r), r.in(IIR), irq(r), r.in(IIR)]).toEqual([true, 0xc2, false, 0xc1]);
    r.out(DATA, 0x41);
    expect(irq(r)).toBe(true);
    r.out(IER, 0);
    expect(irq(r)).toBe(false);
    r.out(IER, 2);
    expect(irq(r)).toBe(true);
  });

  it('receive data goes before transmitter empty, and reading IIR then clears nothing', () => {
    const r = uart(3);
    r.pc.com1.receive(text('12345678'));
    expect(r.in(IIR)).toBe(0xc4);
    take(r, 8);
    expect(r.in(IIR)).toBe(0xc2);
  });

  it('OUT2 connects the interrupt', () => {
    const r = uart(2);
    r.out(MCR, 0x03);
    expect(irq(r)).toBe(false);
    r.out(MCR, 0x0b);
    expect(irq(r)).toBe(true);
  });

  it('loopback: data, overrun, modem lines', () => {
    const r = uart();
    r.pc.com1.receive(text('held'));
    take(r, 4);
    r.out(MCR, 0x1a); // loop, OUT2, RTS
    expect(r.in(MSR)).toBe(0x92); // CTS and DCD as driven, DSR changed
    r.out(DATA, ...text('0123456789abcdefg'));
    expect([r.serial, r.in(LSR), r.in(LSR)]).toEqual([[], 0x63, 0x61]);
    r.pc.com1.receive(text('later'));
    expect(take(r, 16)).toBe('0123456789abcdef');
    expect(r.in(LSR)).toBe(0x60);
    r.out(MCR, 0x0b);
    expect(take(r, 5)).toBe('later');
    expect(r.in(MSR)).toBe(0xb2);
  });

  it('the loopback probe of operating systems', () => {
    const r = uart();
    r.out(MCR, 0x10 | 0x0a);
    expect(r.in(MSR) & 0xf0).toBe(0x90);
  });

  it('modem status interrupt, cleared by reading MSR', () => {
    const r = uart(8);
    r.out(MCR, 0x18); // loop with OUT2: CTS and DSR go
    expect([irq(r), r.in(IIR)]).toEqual([true, 0xc0]);
    r.in(MSR);
    expect([irq(r), r.in(IIR)]).toEqual([false, 0xc1]);
  });

  it('clearing the FIFO drops what is in it', () => {
    const r = uart();
    r.pc.com1.receive(text('abc'));
    r.out(FCR, 0x83);
    expect(r.in(LSR)).toBe(0x60);
  });

  it('scratch register, and reset keeps what was typed', () => {
    const r = uart();
    r.out(SCR, 0x5a);
    expect(r.in(SCR)).toBe(0x5a);
    r.pc.com1.receive(text('0123456789abcdef+'));
    r.pc.reset();
    expect([r.in(SCR), r.in(LSR), r.in(DATA)]).toEqual([0, 0x61, 0x2b]);
  });

  it('COM2 exists when it has somewhere to go, and else reads as nothing', () => {
    const bytes: number[] = [];
    const r = rig({ onSerial2: (b) => void bytes.push(b) });
    r.out(0x2f8, 0x41);
    expect([bytes, r.in(0x2fd), rig().in(0x2fd)]).toEqual([[0x41], 0x60, 0xff]);
  });
});
