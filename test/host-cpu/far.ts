import { littleEndian } from './addressing.ts';
import type { Item, Program } from './assembler.ts';
import { makeProgram } from './assembler.ts';
import type { Mode } from './case.ts';
import { CODE, DATA, SEEDS, ldt, ldtEntries, ldtSelector, USER } from './case.ts';
import { newDraft, RBX, setLow, offsetIn } from './draft.ts';
import type { Random } from './random.ts';

const legacyOnly = ['jmp far', 'call far', 'pop ds', 'pop es', 'les', 'lds'] as const;
const always = [
  'mov sreg',
  'mov from sreg',
  'pop gs',
  'lgs',
  'lss',
  'lar',
  'lsl',
  'verr',
  'verw',
  'jmp far m',
  'call far m',
  'retf',
  'iret',
  'arpl',
] as const;
export type FarKind = (typeof legacyOnly)[number] | (typeof always)[number];
export const farKinds = (mode: Mode): FarKind[] => (mode === '64' ? always.filter((k) => k !== 'arpl') : [...always, ...legacyOnly]);

/** Selectors that mean the same to Linux and to world.ts: null ones, user and kernel segments, the LDT's, one beyond it. */
const selectors = [0, 3, 0x10, 0x13, 0x18, 0x1b, USER.code32, USER.data, USER.code64, 0x20, 0x28, ...ldtEntries.map(ldtSelector), ...ldtEntries.map((s) => ldtSelector(s) & ~3), ldtEntries.length * 8 + 7, 0xff]; // prettier-ignore

/** What code at the target would be, and where a selector's offsets count from. */
function codeOf(selector: number): { readonly bits: 16 | 32 | 64; readonly base: number } {
  if ((selector | 3) === USER.code64) return { bits: 64, base: 0 };
  if (selector === ldtSelector(ldt.code16)) return { bits: 16, base: CODE };
  if (selector === ldtSelector(ldt.code32) || selector === ldtSelector(ldt.executeOnly)) return { bits: 32, base: CODE };
  return { bits: 32, base: 0 };
}

/** One instruction that loads or looks at a segment. */
export function randomFar(mode: Mode, kind: FarKind, random: Random): Program {
  const d = newDraft(mode, random, 'data');
  const { bits } = d.setup;
  const wide = bits === 16 ? [0x66] : []; // 32-bit operands
  // From a based stack into 64-bit code: AMD pushes without the base, Intel with it.
  const call = kind.startsWith('call');
  const selector = random.pick(call && d.setup.ss !== USER.data ? selectors.filter((s) => (s | 3) !== USER.code64) : selectors);
  const transfer = /far|retf|iret/.test(kind);
  const cs =
    transfer && random.chance(2)
      ? random.pick([USER.code32, call && d.setup.ss !== USER.data ? USER.code32 : USER.code64, ldtSelector(ldt.code16), ldtSelector(ldt.code32)])
      : selector;
  const code = codeOf(cs);
  const target: Omit<Extract<Item, { to: string }>, 'before'> = { to: 'target', size: 4, absolute: true, add: d.setup.codeBase - code.base };
  /** [rBX + disp]: where far pointers are stored for instructions that take them from memory. */
  const inMemory = (disp: number, reg = 0): number[] => [(bits === 16 ? 0x47 : 0x43) | (reg << 3), disp];
  const near = (reg: number): number[] => inMemory(0x40, reg);
  setLow(d, RBX, bits, offsetIn(d, 'ds', DATA + 0x100));
  const storePointer: Item[] = [
    { ...target, before: [...wide, 0xc7, ...inMemory(0x40)] },
    [...(bits === 16 ? [] : [0x66]), 0xc7, ...inMemory(0x44), ...littleEndian(cs, 2)],
  ];
  const storeSelector: Item[] = [
    [...wide, 0xc7, ...inMemory(0x40), ...littleEndian(random.value(), 4)],
    [...(bits === 16 ? [] : [0x66]), 0xc7, ...inMemory(0x44), ...littleEndian(selector, 2)],
  ];
  const load: number[] = [...wide, 0xb8, ...littleEndian(selector | (random.chance(2) ? 0 : 0x5555_0000), 4)]; // mov eax, selector
  const stack = (v: number): number[] => [...(bits === 64 ? [] : wide), 0x68, ...littleEndian(v, 4)];
  const sreg = random.pick([0, 1, 2, 3, 5, 6, 7]); // loading FS would take the harness's thread pointer away
  const opsize = random.chance(3) ? [0x66] : [];
  const rex = bits === 64 && random.chance(2) ? [0x48] : [];
  const flags = 0x202 | (random.below(0x1000) & 0xcd5) | (random.chance(4) ? 0x4_0000 : 0);

  const body: Record<FarKind, () => Item[]> = {
    'mov sreg': () => [load, [...opsize, 0x8e, 0xc0 | (sreg << 3)]],
    'mov from sreg': () => [
      load,
      [0x8e, 0xe8],
      random.chance(2) ? [...opsize, ...rex, 0x8c, 0xc2 | (random.below(6) << 3)] : [...opsize, ...rex, 0x8c, ...near(random.below(6))],
    ],
    'pop gs': () => [stack(selector), [...wide, 0x0f, 0xa9]],
    'pop ds': () => [stack(selector), [...wide, 0x1f]],
    'pop es': () => [stack(selector), [...wide, 0x07]],
    les: () => [...storeSelector, [...wide, 0xc4, ...near(2)]],
    lds: () => [...storeSelector, [...wide, 0xc5, ...near(2)]],
    lgs: () => [...storeSelector, [...wide, 0x0f, 0xb5, ...near(2)]],
    lss: () => [...storeSelector, [...wide, 0x0f, 0xb2, ...near(2)]],
    lar: () => [load, [...opsize, ...rex, 0x0f, 0x02, 0xd0], [...wide, 0x81, 0xe2, 0xff, 0xff, 0xf0, 0xff]], // bits 19:16 are undefined: SDM Vol. 2, LAR
    lsl: () => [load, [...opsize, ...rex, 0x0f, 0x03, 0xd0]],
    verr: () => [load, [0x0f, 0x00, 0xe0]],
    verw: () => [load, [0x0f, 0x00, 0xe8]],
    arpl: () => [load, [0x63, 0xd0]],
    'jmp far': () => [{ ...target, before: [...wide, 0xea], after: littleEndian(cs, 2) }],
    'call far': () => [{ ...target, before: [...wide, 0x9a], after: littleEndian(cs, 2) }],
    'jmp far m': () => [...storePointer, [...wide, 0xff, ...near(5)]],
    'call far m': () => [...storePointer, [...wide, 0xff, ...near(3)]],
    retf: () => {
      const drop = random.chance(2) ? [0xca, random.below(32), 0] : [0xcb];
      return bits === 64
        ? [stack(cs), { ...target, before: [0x68] }, [0x48, ...drop]]
        : [stack(cs), { ...target, before: [...wide, 0x68] }, [...wide, ...drop]];
    },
    iret: () => {
      const frame: Item[] = [stack(flags), stack(cs), { ...target, before: [...wide, 0x68] }];
      if (bits !== 64) return [...frame, [...wide, 0xcf]];
      const ss = random.chance(2)
        ? USER.data
        : random.pick([USER.data, 0, 3, 0x18, ldtSelector(ldt.ss16), ldtSelector(ldt.readOnly), ldtSelector(ldt.absent)]);
      return [stack(ss), stack(DATA + 0x1800), ...frame, [0x48, 0xcf]];
    },
  };
  return makeProgram({
    name: `${kind} ${(transfer ? cs : selector).toString(16)}`,
    mode,
    start: 0,
    seed: BigInt(random.below(SEEDS)),
    gpr: d.gpr,
    xmm: d.xmm,
    flags: random.below(0x1000) & 0x8d5,
    endBits: transfer ? code.bits : bits,
    memory: call ? 'unless faulted' : 'exact',
    pieces: [[...body[kind](), ...(transfer ? [[0x0f, 0x0b], { label: 'target' }, [0x90]] : [])]],
  });
}
