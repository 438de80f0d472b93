import { littleEndian, memoryOperand } from './addressing.ts';
import type { Item, Piece, Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Mode } from './case.ts';
import { CODE, CODE_SIZE, READ_ONLY, SEEDS } from './case.ts';
import { newDraft, pickTarget, RCX, RSP, setLow, setStackPointer } from './draft.ts';
import type { Random } from './random.ts';

export const transferKinds = [
  'jmp',
  'jcc',
  'loop',
  'call',
  'ret',
  'through a register',
  'through memory',
  'to the edge',
  'stack at an edge',
] as const;
export type TransferKind = (typeof transferKinds)[number];

/** One near transfer, mostly to a good place, with instructions at either end that show where it went. */
export function randomTransfer(mode: Mode, kind: TransferKind, random: Random): Program {
  const d = newDraft(mode, random, 'data');
  const { bits } = d.setup;
  // In 64-bit mode an operand-size prefix on a near transfer is one thing on AMD and another on Intel.
  const prefix = bits !== 64 && random.chance(4) ? [0x66] : [];
  const size = bits === 64 ? 8 : (bits === 16) === (prefix.length === 0) ? 2 : 4;
  const word = size === 2 ? 2 : 4;
  const address = random.chance(4) && bits !== 64 ? [0x67] : [];
  const backwards = random.chance(3);
  const call = kind === 'call' || random.chance(2);
  const relative = (op: number[], reach: 1 | 2 | 4): Item => ({ before: [...prefix, ...op], to: 'target', size: reach });
  const pointer = (before: number[], to = 'target'): Item => ({ before, to, size: word, absolute: true });
  if (kind === 'stack at an edge') setStackPointer(d, random.pick([READ_ONLY, READ_ONLY + 0x1000, READ_ONLY + 0x2000]) + random.below(24) - 12);

  let transfer: Item[] = [];
  switch (kind) {
    case 'jmp':
      transfer = [random.chance(2) ? relative([0xeb], 1) : relative([0xe9], word)];
      break;
    case 'jcc':
      transfer = [random.chance(2) ? relative([0x70 | random.below(16)], 1) : relative([0x0f, 0x80 | random.below(16)], word)];
      break;
    case 'loop':
      setLow(d, RCX, random.chance(2) ? 16 : 32, random.below(3));
      transfer = [relative([...address, 0xe0 | random.below(4)], 1)];
      break;
    case 'call':
      transfer = [relative([0xe8], word)];
      break;
    case 'ret':
    case 'stack at an edge': {
      const drop = random.chance(2) ? [0xc2, random.below(64), random.below(2)] : [0xc3];
      if (kind === 'ret' || random.chance(2)) transfer = [pointer([...prefix, 0x68]), [...prefix, ...drop]];
      else transfer = [random.chance(2) ? [...prefix, ...drop] : relative([0xe8], word)];
      break;
    }
    case 'through a register': {
      const r = random.pick([0, 1, 2, 3, 5, 6, 7]);
      transfer = [pointer([...prefix, 0xb8 | r]), [...prefix, 0xff, (call ? 0xd0 : 0xe0) | r]];
      break;
    }
    case 'through memory': {
      // mov [operand], target; then the transfer through the same operand.
      const operand = memoryOperand(d, 0, 0, pickTarget(d), -100, 0, true);
      if (operand.bytes[0]! >> 3 === 0 && (operand.bytes[0]! & 7) === 5 && bits === 64) break; // RIP-relative: another place for each
      const [modrm = 0, ...rest] = operand.bytes;
      transfer = [pointer([...(bits === 64 ? [0x48] : prefix), 0xc7, modrm, ...rest]), [...prefix, 0xff, modrm | (call ? 0x10 : 0x20), ...rest]];
      break;
    }
    case 'to the edge': {
      // Into the last bytes of the code pages, beyond them, or nowhere.
      const nowhere = [-1n, 0x8000_0000_0000n, 0x7fff_ffff_fffdn, random.u64(), 0x1_0000n, 0xffff_fffen];
      const offset = random.chance(3) ? random.pick(nowhere) : BigInt(CODE - d.setup.codeBase + CODE_SIZE - random.below(4));
      const r = random.pick([0, 2, 3]);
      d.gpr[r] = bits === 64 ? BigInt.asUintN(64, offset) : BigInt.asUintN(32, offset);
      transfer = [[...prefix, 0xff, (call ? 0xd0 : 0xe0) | r]];
      break;
    }
  }
  const seen = (register: number, value: number): number[] => [...(bits === 16 ? [0x66] : []), 0xb8 | register, ...littleEndian(value, 4)];
  const target: Piece = [{ label: 'target' }, seen(7, 0x7777), ...(backwards ? [{ before: [0xeb], to: 'end', size: 1 } as Item] : [])];
  const from: Piece = [...transfer, seen(6, 0x6666)];
  const pieces: Piece[] = backwards ? [[{ before: [0xeb], to: 'from', size: 1 }], target, [{ label: 'from' }], from] : [from, target];
  return makeProgram({
    name: `transfer ${kind}`,
    mode,
    start: random.pick([0, 0, 0xf80 + random.below(0x80)]),
    seed: BigInt(random.below(SEEDS)),
    gpr: d.gpr,
    xmm: d.xmm,
    flags: random.below(0x1000) & 0x8d5,
    pieces: [...pieces, [{ label: 'end' }]],
  });
}

export { RSP };
