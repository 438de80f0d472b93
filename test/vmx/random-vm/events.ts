/** NMIs, interrupts, posted interrupts and INIT signals that arrive at random ticks. */
import type { Cpu } from '../../../src/machine/cpu/cpu.ts';
import type { InterruptSource } from '../../../src/machine/cpu/hooks.ts';
import { Pending } from '../../../src/machine/cpu/layout.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import type { Random } from '../../host-cpu/random.ts';
import { NOTIFICATION, Place } from './places.ts';

/** An interrupt controller that needs no EOI and knows no priorities: first come, first served. */
class Lines implements InterruptSource {
  readonly #cpu: Cpu;
  readonly #waiting: number[] = [];
  #cr8 = 0;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }
  request(vector: number): void {
    this.#waiting.push(vector);
    this.#cpu.raise(Pending.interrupt);
  }
  pending(): number {
    return this.#waiting[0] ?? -1;
  }
  acknowledge(): number {
    const vector = this.#waiting.shift() ?? -1;
    if (this.#waiting.length === 0) this.#cpu.clear(Pending.interrupt);
    return vector;
  }
  getCr8(): number {
    return this.#cr8;
  }
  setCr8(value: number): void {
    this.#cr8 = value;
  }
}

export interface Arrival {
  readonly at: number;
  readonly kind: 'nmi' | 'interrupt' | 'posted' | 'init';
  readonly vector: number;
}

export function randomArrivals(random: Random, until: number): Arrival[] {
  const out: Arrival[] = [];
  const usual = random.pick([300, 2000, 6000]);
  for (let at = 500; at < until; at += 1 + random.below(usual)) {
    out.push({
      at,
      kind: random.pick(['nmi', 'interrupt', 'interrupt', 'interrupt', 'posted', 'posted', 'init'] as const),
      vector: 0x30 + random.below(0xc0),
    });
  }
  return out;
}

/** Has them arrive at a machine's CPU, at the tick itself. */
export function schedule(machine: Machine, arrivals: readonly Arrival[]): void {
  const cpu = machine.cpus[0]!;
  const { memory, clock } = machine;
  const lines = new Lines(cpu);
  cpu.irq = lines;
  let n = 0;
  const timer = clock.timer('random arrivals', () => {
    const { kind, vector } = arrivals[n++]!;
    if (kind === 'nmi') cpu.raise(Pending.nmi);
    else if (kind === 'init') cpu.raise(Pending.init);
    else if (kind === 'interrupt') lines.request(vector);
    else {
      const word = Place.posted + (vector >> 5) * 4;
      memory.write(word, 4, (memory.read(word, 4) | (1 << (vector & 31))) >>> 0);
      memory.write(Place.posted + 32, 4, 1);
      lines.request(NOTIFICATION);
    }
    clock.arm(timer, arrivals[n]?.at ?? Infinity);
  });
  clock.arm(timer, arrivals[0]?.at ?? Infinity);
}
