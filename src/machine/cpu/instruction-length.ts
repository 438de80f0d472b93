import { RAM } from '../memory/layout.ts';
import { linearRip } from './block-finder.ts';
import type { Cpu } from './cpu.ts';
import { Decoder } from './isa/decoder.ts';
import * as L from './layout.ts';
import { peekTranslate } from './mmu/walk.ts';
import type { CpuModel } from './models/model.ts';

const LONGEST = 15;
const MODES = [16, 32, 64] as const;
const decoders = new WeakMap<CpuModel, Decoder>();

/** Length of the instruction at RIP, found by decoding it again: for VM exits in the middle of one. 0: it cannot be read. */
export function instructionLength(cpu: Cpu): number {
  let decoder = decoders.get(cpu.model);
  if (!decoder) decoders.set(cpu.model, (decoder = new Decoder(cpu.model.features)));
  const linear = linearRip(cpu);
  const bytes = new Uint8Array(LONGEST);
  let count = 0;
  for (; count < LONGEST; count++) {
    const physical = peekTranslate(cpu, BigInt.asUintN(64, linear + BigInt(count)));
    if (physical === undefined || !cpu.machine.memory.isRam(physical)) break;
    bytes[count] = cpu.m.u8[RAM + physical]!;
  }
  return decoder.decode(bytes, 0, count, MODES[cpu.u32(L.CODE_SIZE)]!) === undefined ? decoder.length : 0;
}
