import { littleEndian } from './addressing.ts';
import type { Item, Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Mode } from './case.ts';
import { DATA, SEEDS, segmentBase, setups } from './case.ts';
import { newDraft, RBX, RCX, RDI, RSI, setLow, setStackPointer } from './draft.ts';
import { HOME, programInstruction } from './program-instruction.ts';
import type { Random } from './random.ts';

const kinds = ['an instruction', 'rep', 'pushf', 'popf', 'a branch', 'mov ss', 'pop ss', 'a fault', 'int3', 'TF from the start of a loop'] as const;
export type TrapKind = (typeof kinds)[number];
export const trapKinds = (mode: Mode): TrapKind[] => kinds.filter((k) => k !== 'pop ss' || mode !== '64');

/** Sets TF by POPF; the trap comes after the instruction that follows (SDM Vol. 3, 18.3.1.4). */
export function randomTrap(mode: Mode, kind: TrapKind, random: Random): Program {
  const d = newDraft(mode, random, 'data');
  const { bits } = setups[mode];
  const wide = bits === 16 ? [0x66] : [];
  setLow(d, RBX, bits, HOME - segmentBase(mode, 'ds'));
  setLow(d, RSI, bits, DATA + 0x1500 - segmentBase(mode, 'ds'));
  setLow(d, RDI, bits, DATA + 0x1600 - segmentBase(mode, 'es'));
  setLow(d, RCX, bits, random.below(4));
  setStackPointer(d, DATA + 0x1f00);
  const popf = (flags: number): number[] => [...wide, 0x68, ...littleEndian(flags, 4), ...wide, 0x9d];
  const status = random.below(0x1000) & 0x8d5;
  const after: Item[] = [[0x90], [0xf5], [0x40 | 0x90]];
  const what: Record<TrapKind, () => Item[]> = {
    'an instruction': () => [programInstruction(mode, random)],
    rep: () => [[random.pick([0xf2, 0xf3]), random.pick([0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf])]],
    pushf: () => [[0x9c]],
    popf: () => [[...wide, 0x9c, ...wide, 0x9d]],
    'a branch': () => [{ before: [random.chance(2) ? 0xeb : 0x70 | random.below(16)], to: 'far', size: 1 }, [0x90, 0x90], { label: 'far' }],
    'mov ss': () => [[0x8e, 0xd0], [0x90], [0x90]],
    'pop ss': () => [[0x17], [0x90], [0x90]],
    'a fault': () => [[0x0f, 0x0b]],
    int3: () => [[0xcc]],
    'TF from the start of a loop': () => [{ label: 'top' }, [0xf5], { before: [0xe2], to: 'top', size: 1 }],
  };
  // What goes before TF is set: SS's own selector in AX, or on the stack below the flags.
  const before: Item[] = kind === 'mov ss' ? [[0x8c, 0xd0]] : kind === 'pop ss' ? [[0x16]] : [];
  return makeProgram({
    name: `trap after ${kind}`,
    mode,
    start: 0,
    seed: BigInt(random.below(SEEDS)),
    gpr: d.gpr,
    xmm: d.xmm,
    flags: status,
    memory: kind === 'pop ss' ? 'ignored' : 'exact',
    undefinedFlags: kind === 'an instruction' ? 0x8d5 : 0,
    pieces: [[...before, popf(0x302 | status), ...what[kind](), ...after.slice(0, 2)]],
  });
}
