import { linearRip } from './block-finder.ts';
import type { Cpu } from './cpu.ts';
import type { Insn } from './isa/insn.ts';
import * as L from './layout.ts';
import { peekTranslate } from './mmu/walk.ts';

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
/** INS and OUTS, MOVS and CMPS, STOS, LODS and SCAS. */
const isString = (opcode: number): boolean => (opcode & 0xfc) === 0x6c || (opcode & 0xfc) === 0xa4 || (opcode >= 0xaa && opcode <= 0xaf);
const MAX_LENGTH = 15;

/** Does a repeated string instruction stand at RIP? For the rare cases in which iterations are executed alone. */
export function atRepetition(cpu: Cpu): boolean {
  const { memory } = cpu.machine;
  const start = linearRip(cpu);
  let repeated = false;
  for (let n = 0; n < MAX_LENGTH; n++) {
    const physical = peekTranslate(cpu, start + BigInt(n));
    const byte = physical === undefined ? undefined : memory.peek(physical, 1)?.[0];
    if (byte === undefined) return false;
    if (byte === 0xf2 || byte === 0xf3) repeated = true;
    const rex = cpu.code64 && (byte & 0xf0) === 0x40;
    if (!PREFIXES.has(byte) && !rex) return repeated && isString(byte);
  }
  return false;
}

/** A repeated string helper runs once for each iteration; it is done when rCX is, or ZF ends a comparison. */
export function unfinished(cpu: Cpu, insn: Insn): boolean {
  if (insn.rep === 0 || !/^(ins|outs|movs|stos|lods|scas|cmps)$/.test(insn.name)) return false;
  if (cpu.readGpr(1, insn.addrsize) === 0n) return false;
  if (insn.name !== 'scas' && insn.name !== 'cmps') return true;
  return cpu.m.u64[(cpu.block + L.RES) >> 3] === 0n === (insn.rep === 0xf3); // prettier-ignore
}
