import { littleEndian } from './addressing.ts';
import type { Item, Piece, Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Mode } from './case.ts';
import { CODE, DATA, SEEDS, segmentBase, setups } from './case.ts';
import { newDraft, RBX, RDI, RSI, setLow, setStackPointer } from './draft.ts';
import { FREE, HOME, programInstruction } from './program-instruction.ts';
import type { Random } from './random.ts';

/** Where a program keeps its loop counter and code addresses, as displacements from rBX. */
const COUNTER = -0x7c0;
const POINTER = -0x7a0;
/** Everything but rCX. */
const NOT_COUNT = FREE.filter((n) => n !== 1);

/** [rBX + disp] with a register field. */
function home(mode: Mode, reg: number, disp: number): number[] {
  return setups[mode].bits === 16 ? [0x80 | (reg << 3) | 7, ...littleEndian(disp, 2)] : [0x80 | (reg << 3) | 3, ...littleEndian(disp, 4)];
}

/** A program of 5 to 20 instructions in a loop, with branches, calls, stack and string operations, and code that changes. */
export function randomProgram(mode: Mode, random: Random): Program {
  const d = newDraft(mode, random, 'data');
  const { bits } = d.setup;
  const word = bits === 16 ? 2 : 4;
  const flat = d.setup.codeBase === 0;
  setLow(d, RBX, bits, HOME - segmentBase(mode, 'ds'));
  setLow(d, RSI, bits, DATA + 0x1500 + random.below(64) - segmentBase(mode, 'ds'));
  setLow(d, RDI, bits, DATA + 0x1500 + random.below(64) - segmentBase(mode, 'es'));
  setStackPointer(d, DATA + 0x1f00);
  let labels = 0;
  const label = (): string => `l${labels++}`;
  const instruction = (free: readonly number[] = FREE): Item => programInstruction(mode, random, free);
  const some = (most: number, free: readonly number[] = FREE): Item[] => Array.from({ length: 1 + random.below(most) }, () => instruction(free));
  const functions: Piece[] = [];

  const kinds: (() => Piece)[] = [
    // A branch over a few instructions, by its condition or by rCX.
    () => {
      const to = label();
      const op = random.chance(5) ? 0xe0 + random.below(4) : 0x70 + random.below(16);
      const branch: Item = op < 0x80 && random.chance(3) ? { before: [0x0f, op + 0x10], to, size: word } : { before: [op], to, size: 1 };
      return [branch, ...some(3), { label: to }];
    },
    // A loop by rCX.
    () => {
      const top = label();
      return [
        [0xb9, ...littleEndian(1 + random.below(5), word)],
        { label: top },
        ...some(2, NOT_COUNT),
        { before: [random.pick([0xe2, 0xe2, 0xe1, 0xe0])], to: top, size: 1 },
      ];
    },
    // A call: direct, through rBP, through memory; the function may drop an argument.
    () => {
      const to = label();
      const drop = random.chance(2);
      functions.push([{ label: to }, ...some(3), drop ? [0xc2, bits / 8, 0] : [0xc3]]);
      const address = (before: number[]): Item => ({ before, to, size: word, absolute: true });
      const call: Item[] = random.pick([
        () => [{ before: [0xe8], to, size: word } as Item],
        () => [address([0xbd]), [0xff, 0xd5]],
        () => [address([...(bits === 64 ? [0x48] : []), 0xc7, ...home(mode, 0, POINTER)]), [0xff, ...home(mode, 2, POINTER)]],
      ])();
      return [...(drop ? [[0x50]] : []), ...call];
    },
    // A jump through rBP or memory.
    () => {
      const to = label();
      const address = (before: number[]): Item => ({ before, to, size: word, absolute: true });
      const jump: Item[] = random.chance(2)
        ? [address([0xbd]), [0xff, 0xe5]]
        : [address([...(bits === 64 ? [0x48] : []), 0xc7, ...home(mode, 0, POINTER)]), [0xff, ...home(mode, 4, POINTER)]];
      return [...jump, ...some(2), { label: to }];
    },
    // Push and pop around something; flags to a register.
    () => (random.chance(3) ? [[0x9c], ...some(1), [0x58]] : [[0x50 | random.below(3)], ...some(2), [0x58 | random.below(3)]]),
    () => [
      [0x6a, random.below(256)],
      [0x8f, ...home(mode, 0, POINTER + 0x20)],
    ],
    // Strings, with and without repetition, forwards and backwards.
    () => {
      const op = random.pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf]);
      const rep = random.pick([0, 0xf3, 0xf2]);
      const width = random.chance(4) ? [0x66] : bits === 64 && random.chance(3) ? [0x48] : [];
      const direction = random.chance(3) ? [0xfd] : [0xfc];
      const count = rep ? [[0xb9, ...littleEndian(random.below(7), word)]] : [];
      return [...count, direction, [...(rep ? [rep] : []), ...width, op], [0xfc]];
    },
    () => [[0xd7]], // xlat
  ];
  if (flat) {
    // The immediate of an instruction a little further on counts up.
    kinds.push(() => {
      const at = label();
      const modrm = bits === 64 ? [0x04, 0x25] : [0x05];
      return [
        { before: [0xfe, ...modrm], to: at, size: 4, absolute: true, add: 1 },
        ...(random.chance(2) ? some(2) : []),
        { label: at },
        [0xb8, ...littleEndian(random.below(2 ** 31), word)],
      ];
    });
  }

  const body: Piece[] = Array.from({ length: 5 + random.below(8) }, () => (random.chance(2) ? random.pick(kinds)() : [instruction()]));
  const loop: Piece[] = [
    [[0xc7, ...home(mode, 0, COUNTER), ...littleEndian(1 + random.below(6), word)], { label: 'top' }],
    ...body,
    [[0xff, ...home(mode, 1, COUNTER)], { before: [0x0f, 0x85], to: 'top', size: word }],
  ];
  const pieces: Piece[] = functions.length === 0 ? loop : [...loop, [{ before: [0xe9], to: 'end', size: word }], ...functions, [{ label: 'end' }]];
  return makeProgram({
    name: `program of ${body.length} pieces`,
    mode,
    start: random.chance(2) ? 0 : 0xf00 + random.below(0x100), // across the page
    seed: BigInt(random.below(SEEDS)),
    gpr: d.gpr,
    xmm: d.xmm,
    flags: random.below(0x1000) & 0x8d5,
    pieces,
  });
}

export { CODE };
