/**
 * Opcode rows: the instruction set as data. A row is one line of text:
 *
 *     encoding | name operands | attributes
 *
 * encoding, as in the SDM: opcode bytes in hex after an optional mandatory prefix (NP, NFx, 66, F2, F3), `+r` (register in the
 * low three bits), `/r` (ModRM), `/0`..`/7` (opcode extension), `m` or `r` after it (memory or register only), or a whole
 * ModRM byte as a last hex byte after a dot: `0F 01 .C1`. `!64` invalid in 64-bit mode, `=64` only there. With VEX, the first
 * word is `VEX.128.66.0F.WIG`: length (128, 256, LZ, LIG), prefix, map, W; without W, W is the size of general registers.
 *
 * operands: SDM Vol. 2 appendix A letters: E/M/R (ModRM.rm), G (ModRM.reg), B (VEX.vvvv, general), Z (opcode register),
 * A (accumulator), I, J, O, V/W/H/L (vector: ModRM.reg, ModRM.rm, VEX.vvvv, bits 7:4 of the immediate), P/Q (MMX: ModRM.reg,
 * ModRM.rm), S (ST(i), ModRM.rm), C (CL), 1; sizes b, w, d, q, v, y (v but never 16 bits), z; `Ibs` is a byte sign-extended to the operand size.
 * `E1`, `E2`, `E4` are 1, 2, 4 bytes in memory or a 32-bit register (r32/m8). After W, Q and M: bytes in memory, `x` for the vector length, and `a` when they must be aligned: `W16a`.
 *
 * attributes: `lock` (LOCK allowed with a memory destination), `d64` (64-bit operand size by default in 64-bit mode),
 * `f64` (always), `helper` (written in TypeScript), `b` (byte operand size), `stack`/`branch` (differs outside 64-bit
 * mode), `sreg=N` (fixed segment register), `hot` (worth a handler of its own per address form), `wide` (implicit general registers have the operand size), `elements` (a memory operand of
 * several accesses, some of which may not be made), `vsib` (the index is a vector
 * register), `unit=NAME` (its handlers are not cases of the interpreter but functions of that unit, see tiers/units.ts).
 */
export interface Row {
  readonly encoding: string;
  readonly name: string;
  readonly operands: readonly string[];
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** Mandatory prefix: -1 none looked at, -2 neither F2 nor F3 allowed (NFx), 0 none allowed (NP), else the byte. */
  readonly prefix: number;
  readonly plusRegister: boolean;
  readonly hasModrm: boolean;
  readonly extension: number;
  readonly modrmByte: number;
  readonly form: 'any' | 'memory' | 'register';
  readonly in64: boolean;
  readonly inLegacy: boolean;
  readonly lock: boolean;
  readonly default64: boolean;
  readonly force64: boolean;
  readonly helper: boolean;
  readonly byte: boolean;
  /** The operand size is 32 or 64 bits whatever the prefixes say. */
  readonly atLeast32: boolean;
  readonly stack: boolean;
  readonly branch: boolean;
  readonly hot: boolean;
  /** A string instruction: alone in its block, each iteration counts. */
  readonly string: boolean;
  readonly sreg: number;
  /** VEX-encoded: what VEX.W must be, -1 for either; VEX.L is in `vectorBytes`, or 0 there when it is ignored. */
  readonly vex: { readonly w: 0 | 1 | -1; readonly length: 16 | 32 | 0 } | undefined;
  /** Bytes of the vectors operated on: 8 (MMX), 16 or 32. */
  readonly vectorBytes: 8 | 16 | 32;
  /** VEX.vvvv names an operand; else it must be 1111B. */
  readonly vvvv: boolean;
  readonly vsib: boolean;
  /** Every element is an access of its own: where addresses are not flat ones of 64 bits, the instruction is a helper. */
  readonly elements: boolean;
  /** Name of the unit whose functions the handlers are, `avx/vpaddb`; empty: the interpreter. */
  readonly unit: string;
  /** The operands that bytes after ModRM belong to, as numbers (`Immediate`), in order. */
  readonly immediates: readonly number[];
  /** Where the operands' registers come from and go in a record (tiers/record.ts, `recordFields`), worked out when first needed. */
  fields: Uint8Array | undefined;
  /** What follows from the above, worked out once because decoding asks for it again and again. */
  readonly traits: RowTraits;
  /** Handler numbers by `handlerIndex`, filled by the interpreter generator; 0: none. */
  readonly handlers: Uint16Array;
}

/** Kinds of immediates, by operand. */
export const Immediate: Readonly<Record<string, number>> = {
  Ib: 1, Ibs: 2, Jb: 2, Lx: 3, Ib2: 4, Iw: 5, Iz: 6, Jz: 6, Iv: 7, Ob: 8, Ov: 8, Ap: 9,
}; // prettier-ignore

export interface RowTraits {
  /** What the block builder asks for by name: comparing strings for every instruction costs. */
  readonly x87: boolean;
  readonly lea: boolean;
  readonly undefined: boolean;
  readonly cmpxchg8b: boolean;
  readonly call: boolean;
  readonly return: boolean;
  /** A relative branch that may not be taken: the block goes on behind it. */
  readonly conditional: boolean;
  /** One on a condition code, in the opcode's low bits. */
  readonly jcc: boolean;
  /** A vector register takes part; then the operand size matters only if a general one (`general`) does too. */
  readonly vector: boolean;
  readonly general: boolean;
  /** A 64-bit offset in the instruction (moffs). */
  readonly absolute: boolean;
  /** A relative branch; `linkable`: one that may be linked within its page. */
  readonly relative: boolean;
  readonly linkable: boolean;
  /** LOOP and JCXZ: the address size says which rCX counts. */
  readonly countsInRcx: boolean;
  /** A bit string operation with a register index. */
  readonly bitString: boolean;
  /** Whether the memory operand is accessed at all (LEA and NOP do not), and whether it is written. */
  readonly accesses: boolean;
  readonly writes: boolean;
  /** Bytes of the memory operand; 0: as the operand size says. */
  readonly memoryBytes: number;
}

/** Instructions whose first operand is only read. */
const readers = /^(cmp|test|bt|push|mul|imul1|div|idiv|jmp_rm|call_rm|clflush(opt)?|clwb)$/;

/** Bytes that a vector operand (W, Q) has in memory. */
export const vectorOperandBytes = (operand: string, vectorBytes: number): number => Number(/\d+/.exec(operand)?.[0] ?? vectorBytes);

function traitsOf(name: string, operands: readonly string[], attribute: ReadonlySet<string>, vectorBytes: number): RowTraits {
  const memory = operands.find((o) => /^([EOWQ]|M\d)/.test(o)) ?? '';
  const size = /^[WQM]/.test(memory)
    ? vectorOperandBytes(memory, vectorBytes)
    : ({ b: 1, w: 2, d: 4, q: 8, '1': 1, '2': 2, '4': 4 }[memory[1] ?? ''] ?? 0);
  const relative = attribute.has('branch') && operands[0]?.[0] === 'J';
  return {
    x87: attribute.has('unit=x87'),
    lea: name === 'lea',
    undefined: name === 'ud',
    cmpxchg8b: name === 'cmpxchg8b',
    call: name === 'call' || name === 'call_rm',
    return: name === 'ret',
    conditional: relative && name !== 'jmp' && name !== 'call',
    jcc: relative && /^j(?!mp$|cxz$)/.test(name),
    vector: operands.some((o) => /^[VWHPQ]/.test(o)),
    general: attribute.has('wide') || operands.some((o) => /^[EG]$/.test(o)),
    absolute: operands.some((o) => o[0] === 'O'),
    relative,
    linkable: relative && /^j|^loop/.test(name),
    countsInRcx: name.startsWith('loop') || name === 'jcxz',
    bitString: /^bt/.test(name) && operands[1] === 'Gv',
    accesses: name !== 'lea' && !name.startsWith('nop'),
    writes: name === 'cmpxchg8b' || (/^[EOWQ]/.test(operands[0] ?? '') && !readers.test(name)),
    memoryBytes: size,
  };
}

interface VexWord {
  readonly prefix: number;
  readonly map: 1 | 2 | 3;
  readonly w: 0 | 1 | -1;
  readonly length: 16 | 32 | 0;
}

/** `VEX.256.66.0F38.W0`: SDM Vol. 2, 3.1.1.2. */
function parseVex(word: string): VexWord {
  const parts = word.split('.').slice(1);
  const one = <T>(values: Readonly<Record<string, T>>, otherwise: T): T => {
    const n = parts.findIndex((p) => p in values);
    return n < 0 ? otherwise : values[parts.splice(n, 1)[0]!]!;
  };
  const vex: VexWord = {
    length: one({ '128': 16, L0: 16, LZ: 16, '256': 32, L1: 32, LIG: 0 } as const, 0),
    prefix: one({ NP: 0, '66': 0x66, F2: 0xf2, F3: 0xf3 }, 0),
    map: one({ '0F': 1, '0F38': 2, '0F3A': 3 } as const, 1),
    w: one({ W0: 0, W1: 1, WIG: -1 } as const, -1),
  };
  if (parts.length > 0) throw new Error(`"${word}": what is ${parts.join('.')}?`);
  return vex;
}

export function parseRow(line: string): Row {
  const [encoding = '', what = '', attributes = ''] = line.split('|').map((s) => s.trim());
  const attribute = new Set(attributes.split(/\s+/).filter(Boolean));
  const words = encoding.split(/\s+/);
  const vex = words[0]!.startsWith('VEX.') ? parseVex(words.shift()!) : undefined;
  let prefix = vex?.prefix ?? -1;
  const bytes: number[] = [];
  let extension = -1;
  let modrmByte = -1;
  let hasModrm = false;
  let plusRegister = false;
  let form: Row['form'] = 'any';
  let in64 = true;
  let inLegacy = true;
  for (const [n, word] of words.entries()) {
    if (n === 0 && word === 'NP') prefix = 0;
    else if (n === 0 && word === 'NFx') prefix = -2;
    else if (vex && word === '/is4') continue;
    else if (n === 0 && !vex && /^(66|F2|F3)$/.test(word) && words[1] === '0F') prefix = parseInt(word, 16);
    else if (n === 0 && word === 'F3' && words[1] === '90') prefix = 0xf3;
    else if (/^[0-9A-F]{2}$/.test(word)) bytes.push(parseInt(word, 16));
    else if (/^[0-9A-F]{2}\+r$/.test(word)) {
      bytes.push(parseInt(word, 16));
      plusRegister = true;
    } else if (/^\.[0-9A-F]{2}$/.test(word)) {
      modrmByte = parseInt(word.slice(1), 16);
      hasModrm = true;
    } else if (/^\/[0-7r][mr]?$/.test(word)) {
      hasModrm = true;
      if (word[1] !== 'r') extension = Number(word[1]);
      if (word[2] === 'm') form = 'memory';
      if (word[2] === 'r') form = 'register';
    } else if (word === '!64') in64 = false;
    else if (word === '=64') inLegacy = false;
    else throw new Error(`row "${line}": what is "${word}"?`);
  }
  const map = vex ? vex.map : bytes[0] !== 0x0f ? 0 : bytes[1] === 0x38 && bytes.length > 2 ? 2 : bytes[1] === 0x3a && bytes.length > 2 ? 3 : 1;
  const [name = '', ...operands] = what.split(/[\s,]+/);
  const valueOf = (key: string): string | undefined => [...attribute].find((a) => a.startsWith(`${key}=`))?.slice(key.length + 1);
  const vectorBytes = vex?.length === 32 ? 32 : operands.some((o) => /^[PQ]/.test(o)) && !operands.some((o) => /^[VW]/.test(o)) ? 8 : 16;
  return {
    encoding, name, operands, map, prefix, plusRegister, hasModrm, extension, modrmByte, form, in64, inLegacy,
    opcode: bytes[bytes.length - 1]!,
    lock: attribute.has('lock'),
    default64: attribute.has('d64'),
    force64: attribute.has('f64'),
    helper: attribute.has('helper'),
    byte: attribute.has('b') || operands.some((o) => /^[EGZAO]b$/.test(o) && operands.indexOf(o) === 0),
    atLeast32: operands.some((o) => o[1] === 'y'),
    stack: attribute.has('stack'),
    branch: attribute.has('branch'),
    hot: attribute.has('hot'),
    string: attribute.has('string'),
    sreg: Number(valueOf('sreg') ?? -1),
    vex: vex && { w: vex.w, length: vex.length },
    vectorBytes,
    vvvv: operands.some((o) => /^[HB]/.test(o)),
    vsib: attribute.has('vsib'),
    elements: attribute.has('vsib') || attribute.has('elements'),
    unit: valueOf('unit') === undefined ? '' : `${valueOf('unit')}/${name}`,
    immediates: operands.flatMap((o) => Immediate[o] ?? []),
    fields: undefined,
    traits: traitsOf(name, operands, attribute, vectorBytes),
    handlers: new Uint16Array(256),
  }; // prettier-ignore
}

/** The lines of a table, without comments. */
export const parseRows = (text: string): Row[] =>
  text
    .split('\n')
    .map((l) => l.replace(/#.*/, '').trim())
    .filter(Boolean)
    .map(parseRow);
