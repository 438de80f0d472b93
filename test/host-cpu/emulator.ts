import { linearRip } from '../../src/machine/cpu/block-finder.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { abridgedTags, fpr, initX87, physical, setAbridgedTags, setControl, setFpr, setStatus } from '../../src/machine/cpu/x87/state.ts';
import { RAM } from '../../src/machine/memory/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { noteEvents } from '../support/note-events.ts';
import type { Case, Outcome } from './case.ts';
import {
  CODE,
  CODE_SIZE,
  DATA,
  DATA_SIZE,
  ENDLESS,
  MAX_CHANGES,
  MXCSR_DEFAULT,
  READ_ONLY,
  READ_ONLY_SEED,
  setups,
  X87_SIZE,
  x87Default,
} from './case.ts';
import { fill, initialData, seeded } from './memory.ts';
import { enterMode, GS_PAGE, hostLikeMachine } from './world.ts';

/** Index of half n of the XMM registers, low halves first. */
const vectorHalf = (cpu: Cpu, n: number): number => (cpu.block + L.VECTORS + (n >> 1) * L.VECTOR_SIZE + (n & 1) * 8) >> 3;

/** The x87 part of an FXSAVE image: SDM Vol. 1, 10.5.1. */
function loadX87(cpu: Cpu, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  initX87(cpu);
  setControl(cpu, view.getUint16(0, true));
  setStatus(cpu, view.getUint16(2, true));
  for (let i = 0; i < 8; i++) setFpr(cpu, physical(cpu, i), view.getBigUint64(32 + i * 16, true), view.getUint16(40 + i * 16, true));
  setAbridgedTags(cpu, image[4]!);
}

function saveX87(cpu: Cpu): Uint8Array {
  const image = new Uint8Array(X87_SIZE);
  const view = new DataView(image.buffer);
  view.setUint16(0, cpu.u32(L.FCW), true);
  view.setUint16(2, cpu.u32(L.FSW), true);
  image[4] = abridgedTags(cpu);
  for (let i = 0; i < 8; i++) {
    const { low, high } = fpr(cpu, physical(cpu, i));
    view.setBigUint64(32 + i * 16, low, true);
    view.setUint16(40 + i * 16, high, true);
  }
  return image;
}

const PLAIN_X87 = x87Default();

/** What a run of the emulator gives beside the outcome. */
export interface Run extends Outcome {
  /** Ticks: instructions, and the event that ended the case. */
  readonly count: number;
}

const HLT = 0xf4;
const GP = 13;
const LIMIT = 100_000;

/** Runs cases on the emulator, at CPL 3, from memory laid out as in harness.c. */
export class Emulator {
  readonly #machine: Machine;
  #vector = -1;
  #error = 0;
  #length = 0;
  readonly #before = new Uint8Array(DATA_SIZE);
  readonly #image = new Uint8Array(CODE_SIZE);
  /** The x87 state is as FNINIT leaves it, registers zero. */
  #plainX87 = false;

  /** @param tier 0 interprets; 1 compiles everything before it is first executed */
  constructor(tier: 0 | 1 = 0) {
    this.#machine = hostLikeMachine({ mode: tier === 0 ? 'interp' : 'jit', threshold: 1 });
    // Exceptions are noted and end the case, instead of going through an IDT.
    this.#machine.cpus[0]!.guest = noteEvents((event) => {
      this.#vector = event.vector;
      this.#error = event.errorCode ?? 0;
      this.#length = event.length ?? 0;
      this.#machine.interrupt();
    });
    fill(this.#machine.linear.u32.subarray((RAM + READ_ONLY) >> 2, (RAM + READ_ONLY + 4096) >> 2), READ_ONLY_SEED);
  }

  /** Runs a case to its end: in blocks; or, given a step, in pieces of so many ticks (1: `machine.step`). */
  run(c: Case, piece = LIMIT): Run {
    this.#prepare(c);
    const machine = this.#machine;
    const cpu = machine.cpus[0]!;
    const before = cpu.retired;
    for (let n = 0; n < LIMIT && this.#vector < 0; n++) {
      const reason = piece === 1 ? machine.step(0) : machine.run(piece);
      if (this.#vector < 0 && reason.kind !== 'quantum' && reason.kind !== 'step')
        throw new Error(`${c.name}: the emulator stopped with ${reason.kind}`);
      if (piece === LIMIT) break;
    }
    if (this.#vector < 0) this.#vector = ENDLESS;
    const end = CODE + c.start + c.code.length;
    const done = this.#vector === GP && linearRip(cpu) === BigInt(end) && this.#error === 0 && end < CODE + CODE_SIZE;
    const x87 = saveX87(cpu);
    this.#plainX87 = Buffer.compare(x87, PLAIN_X87) === 0;
    return {
      gpr: Array.from({ length: 16 }, (_, n) => cpu.gpr(n)),
      flags: cpu.rflags,
      // At the end of the code as the harness says it; of INT3 and INTO the next instruction's, as a handler finds it.
      rip: done ? BigInt(end - setups[c.mode].codeBase) : cpu.rip + BigInt(this.#length),
      vector: done ? -1 : this.#vector,
      error: done ? 0 : this.#error,
      cr2: cpu.cr2,
      selectors: [L.ES, L.CS, L.SS, L.DS, L.GS].map((n) => cpu.segments[n]!.selector),
      xmm: Array.from({ length: 32 }, (_, n) => machine.linear.u64[vectorHalf(cpu, n)]!),
      ymmHigh: Array.from({ length: 32 }, (_, n) => machine.linear.u64[vectorHalf(cpu, n) + 2]!),
      mxcsr: cpu.u32(L.MXCSR),
      x87,
      changes: this.#changes(),
      count: Number(cpu.retired - before),
    };
  }

  #prepare(c: Case): void {
    const machine = this.#machine;
    const cpu = machine.cpus[0]!;
    const { u8, u64 } = machine.linear;
    initialData(c, this.#before);
    u8.set(this.#before, RAM + DATA);
    u8.set(seeded[Number(c.seed)]!.gs, RAM + GS_PAGE);
    this.#placeCode(c);
    for (const [n, v] of c.gpr.entries()) cpu.setGpr(n, v);
    for (let n = 0; n < 32; n++) {
      u64[vectorHalf(cpu, n)] = c.xmm[n]!;
      u64[vectorHalf(cpu, n) + 2] = c.ymmHigh?.[n] ?? 0n;
    }
    if (c.x87 || !this.#plainX87) loadX87(cpu, c.x87 ?? PLAIN_X87);
    cpu.setU32(L.MXCSR, c.mxcsr ?? MXCSR_DEFAULT);
    cpu.rflags = c.flags | 0x202;
    enterMode(cpu, c.mode);
    cpu.rip = BigInt(CODE - setups[c.mode].codeBase + c.start);
    cpu.activity = 0;
    cpu.interruptibility = 0;
    cpu.setU32(L.PENDING, 0);
    cpu.setU64(L.PENDING_DEBUG, 0n);
    this.#vector = -1;
    this.#error = 0;
    this.#length = 0;
  }

  /** Writes the pages of code that do not hold it already: decoded code is kept from one case to the next where it can be. */
  #placeCode(c: Case): void {
    const image = this.#image;
    image.fill(0xcc);
    image.set(c.code, c.start);
    if (c.start + c.code.length < CODE_SIZE) image[c.start + c.code.length] = HLT; // privileged: the #GP there is the end
    const { memory, linear } = this.#machine;
    for (let at = 0; at < CODE_SIZE; at += 4096) {
      const page = image.subarray(at, at + 4096);
      if (Buffer.compare(page, linear.u8.subarray(RAM + CODE + at, RAM + CODE + at + 4096)) !== 0) memory.poke(CODE + at, page);
    }
  }

  #changes(): Outcome['changes'] {
    const now = this.#machine.linear.u8.subarray(RAM + DATA, RAM + DATA + DATA_SIZE);
    if (Buffer.compare(now, this.#before) === 0) return [];
    const { u32, u64 } = this.#machine.linear;
    const base = (RAM + DATA) >> 2;
    const before = new Uint32Array(this.#before.buffer);
    const out: { at: number; value: bigint }[] = [];
    for (let n = 0; n < before.length && out.length < MAX_CHANGES; n += 2)
      if (u32[base + n] !== before[n] || u32[base + n + 1] !== before[n + 1]) out.push({ at: n * 4, value: u64[(base + n) >> 1]! });
    return out;
  }
}
