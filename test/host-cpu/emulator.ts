import type { GuestHooks } from '../../src/machine/cpu/hooks.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { RAM } from '../../src/machine/memory/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine } from '../support/bare-machine.ts';
import type { Case, Outcome } from './case.ts';
import { CODE, DATA, DATA_SIZE, MAX_CHANGES } from './case.ts';

/** The memory contents of a seed, as harness.c makes them. */
function fill(words: Uint32Array, seed: number): void {
  let x = seed;
  for (let n = 0; n < words.length; n++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[n] = x ^ (x >>> 15);
  }
}

/** Runs cases on the emulator, in 64-bit mode, from memory laid out as in harness.c. */
export class Emulator {
  readonly #machine: Machine;
  #vector = -1;

  constructor() {
    this.#machine = bareMachine();
    // Exceptions are noted and end the case, instead of going through an IDT.
    const hooks: GuestHooks = {
      instruction: () => false,
      event: (_cpu, event) => {
        this.#vector = event.vector;
        this.#machine.interrupt();
        return true;
      },
      tripleFault: () => true,
      taskSwitch: () => {},
      boundary: () => false,
      translate: (_cpu, p) => p,
      nested: false,
      peek: (_cpu, p) => p,
    };
    this.#machine.cpus[0]!.guest = hooks;
  }

  run(c: Case): Outcome {
    const machine = this.#machine;
    const cpu = machine.cpus[0]!;
    const words = machine.linear.u64;
    const base = (RAM + DATA) >> 3;
    const before = new BigUint64Array(DATA_SIZE / 8);
    fill(new Uint32Array(before.buffer), Number(c.seed & 0xffff_ffffn));
    words.set(before, base);
    const code = new Uint8Array(64).fill(0xf4);
    code.set(c.code);
    machine.memory.poke(CODE, code);
    for (const [n, v] of c.gpr.entries()) cpu.setGpr(n, v);
    for (const [n, v] of c.xmm.entries()) words[(cpu.block + L.VECTORS + (n >> 1) * L.VECTOR_SIZE + (n & 1) * 8) >> 3] = v;
    cpu.rflags = c.flags | 0x202;
    cpu.rip = BigInt(CODE);
    cpu.activity = 0;
    this.#vector = -1;
    const reason = machine.run(100_000);
    if (this.#vector < 0 && reason.kind !== 'idle') throw new Error(`${c.name}: the emulator stopped with ${reason.kind}`);
    const changes: { at: number; value: bigint }[] = [];
    for (let n = 0; n < before.length && changes.length < MAX_CHANGES; n++) {
      const value = words[base + n]!;
      if (value !== before[n]) changes.push({ at: n * 8, value });
    }
    return {
      gpr: Array.from({ length: 16 }, (_, n) => cpu.gpr(n)),
      flags: cpu.rflags,
      rip: this.#vector < 0 ? cpu.rip - 1n : cpu.rip, // past the HLT that ends the code
      vector: this.#vector,
      xmm: Array.from({ length: 32 }, (_, n) => words[(cpu.block + L.VECTORS + (n >> 1) * L.VECTOR_SIZE + (n & 1) * 8) >> 3]!),
      changes,
    };
  }
}
