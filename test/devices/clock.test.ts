import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventClock } from '../../src/machine/clock-impl.ts';

function recorded(): { clock: EventClock; fired: string[]; timer: (name: string) => ReturnType<EventClock['timer']> } {
  const clock = new EventClock(0);
  const fired: string[] = [];
  return { clock, fired, timer: (name) => clock.timer(name, (now) => void fired.push(`${name}@${now}`)) };
}

describe('EventClock', () => {
  it('fires in order of due time, ties in order of registration, and shows each timer its own due time', () => {
    const { clock, fired, timer } = recorded();
    const [a, b, c] = [timer('a'), timer('b'), timer('c')];
    clock.arm(c, 100);
    clock.arm(b, 100);
    clock.arm(a, 300);
    expect(clock.nextDeadline()).toBe(100);
    clock.advanceTo(99);
    expect(fired).toEqual([]);
    clock.advanceTo(1000);
    expect(fired).toEqual(['b@100', 'c@100', 'a@300']);
    expect([clock.now(), clock.nextDeadline()]).toEqual([1000, Infinity]);
  });

  it('fires timers armed by timers on the same way', () => {
    const clock = new EventClock(0);
    const seen: number[] = [];
    const t = clock.timer('t', (now) => {
      seen.push(now, clock.now());
      if (now < 30) clock.arm(t, now + 10);
    });
    clock.arm(t, 10);
    clock.advanceTo(100);
    expect(seen).toEqual([10, 10, 20, 20, 30, 30]);
  });

  it('adds what the slice has executed, except while timers fire', () => {
    const clock = new EventClock(0);
    let executed = 0;
    clock.setElapsed(() => executed);
    const seen: number[] = [];
    const t = clock.timer('t', () => seen.push(clock.now()));
    clock.arm(t, 5);
    executed = 8;
    expect(clock.now()).toBe(8);
    clock.advanceTo(8);
    executed = 0;
    expect([seen, clock.now()]).toEqual([[5], 8]);
  });

  it('kicks only when the deadline moves closer from outside a timer', () => {
    const clock = new EventClock(0);
    let kicks = 0;
    clock.setKick(() => kicks++);
    const a = clock.timer('a', () => clock.arm(a, 70));
    const b = clock.timer('b', () => {});
    clock.arm(a, 50);
    clock.arm(b, 60);
    expect(kicks).toBe(1);
    clock.arm(b, 40);
    expect(kicks).toBe(2);
    clock.arm(b, Infinity);
    clock.advanceTo(55);
    expect([kicks, clock.nextDeadline()]).toEqual([2, 70]);
  });

  it('fires a timer armed for the past at once, without turning time back', () => {
    const { clock, fired, timer } = recorded();
    clock.advanceTo(500);
    clock.arm(timer('late'), 3);
    clock.advanceTo(500);
    expect(fired).toEqual(['late@500']);
  });

  it.each([
    ['the same name twice', (c: EventClock) => c.timer('x', () => {}), 'two timers are named x'],
    ['time that runs backwards', (c: EventClock) => c.advanceTo(9), 'cannot go back'],
    [
      'a due time that is no number',
      (c: EventClock) =>
        c.arm(
          c.timer('y', () => {}),
          NaN,
        ),
      'armed for no time',
    ],
    ['a snapshot with a timer it does not have', (c: EventClock) => c.restore({ startDate: 0, now: 0, timers: { z: 1 } }), 'no timer z'],
  ])('refuses %s', (_name, act, message) => {
    const clock = new EventClock(0);
    clock.timer('x', () => {});
    clock.advanceTo(10);
    expect(() => act(clock)).toThrow(message);
  });

  it('refuses to be advanced by a timer', () => {
    const clock = new EventClock(0);
    clock.arm(clock.timer('t', () => clock.advanceTo(7)), 5); // prettier-ignore
    expect(() => clock.advanceTo(6)).toThrow('from inside a timer');
  });

  it('goes on after snapshot and restore exactly as without', () => {
    const steps = fc.array(fc.tuple(fc.nat(3), fc.nat(50), fc.nat(30)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const make = () => {
          const r = recorded();
          return { ...r, timers: ['a', 'b', 'c', 'd'].map((n) => r.timer(n)) };
        };
        const play = (r: ReturnType<typeof make>, script: typeof before): void => {
          for (const [n, delay, step] of script) {
            r.clock.arm(r.timers[n]!, delay === 50 ? Infinity : r.clock.now() + delay);
            r.clock.advanceTo(r.clock.now() + step);
          }
        };
        const one = make();
        play(one, before);
        const saved = JSON.parse(JSON.stringify(one.clock.snapshot()));
        const two = make();
        two.clock.restore(saved);
        one.fired.length = 0;
        play(one, after);
        play(two, after);
        expect(two.fired).toEqual(one.fired);
        expect(two.clock.snapshot()).toEqual(one.clock.snapshot());
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
