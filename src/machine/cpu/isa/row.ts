/**
 * Opcode rows: the instruction set as data. A row is one line of text:
 *
 *     encoding | name operands | attributes
 *
 * encoding, as in the SDM: opcode bytes in hex after an optional mandatory prefix (NP, 66, F2, F3), `+r` (register in the
 * low three bits), `/r` (ModRM), `/0`..`/7` (opcode extension), `m` or `r` after it (memory or register only), or a whole
 * ModRM byte as a last hex byte after a dot: `0F 01 .C1`. `!64` invalid in 64-bit mode, `=64` only there.
 *
 * operands: SDM Vol. 2 appendix A letters: E/M/R (ModRM.rm), G (ModRM.reg), Z (opcode register), A (accumulator), I, J, O,
 * V/W (vector), C (CL), 1; sizes b, w, d, q, v, y (v but never
 * 16 bits), z; `Ibs` is a byte sign-extended to the operand size.
 *
 * attributes: `lock` (LOCK allowed with a memory destination), `d64` (64-bit operand size by default in 64-bit mode),
 * `f64` (always), `helper` (written in TypeScript), `b` (byte operand size), `stack`/`branch` (differs outside 64-bit
 * mode), `sreg=N` (fixed segment register), `hot` (worth a handler of its own per address form).
 */
export interface Row {
  readonly encoding: string;
  readonly name: string;
  readonly operands: readonly string[];
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** Mandatory prefix: -1 none looked at, 0 none allowed (NP), else the byte. */
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
  /** What follows from the above, worked out once because decoding asks for it again and again. */
  readonly traits: RowTraits;
  /** Handler numbers by `handlerIndex`, filled by the interpreter generator; 0: none. */
  readonly handlers: Uint16Array;
}

export interface RowTraits {
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
const readers = /^(cmp|test|bt|push|mul|imul1|div|idiv|jmp_rm|call_rm|clflush)$/;

function traitsOf(name: string, operands: readonly string[], branch: boolean): RowTraits {
  const memory = operands.find((o) => /^[EOW]/.test(o)) ?? '';
  const size = memory[0] === 'W' ? Number(/\d+/.exec(memory)?.[0] ?? 16) : ({ b: 1, w: 2, d: 4 }[memory[1] ?? ''] ?? 0);
  const relative = branch && operands[0]?.[0] === 'J';
  return {
    vector: operands.some((o) => /^[VW]/.test(o)),
    general: operands.some((o) => /^[EG]$/.test(o)),
    absolute: operands.some((o) => o[0] === 'O'),
    relative,
    linkable: relative && /^j|^loop/.test(name),
    countsInRcx: name.startsWith('loop') || name === 'jcxz',
    bitString: /^bt/.test(name) && operands[1] === 'Gv',
    accesses: name !== 'lea' && !name.startsWith('nop'),
    writes: name === 'cmpxchg8b' || (/^[EOW]/.test(operands[0] ?? '') && !readers.test(name)),
    memoryBytes: size,
  };
}

export function parseRow(line: string): Row {
  const [encoding = '', what = '', attributes = ''] = line.split('|').map((s) => s.trim());
  const attribute = new Set(attributes.split(/\s+/).filter(Boolean));
  const words = encoding.split(/\s+/);
  let prefix = -1;
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
    else if (n === 0 && /^(66|F2|F3)$/.test(word) && words[1] === '0F') prefix = parseInt(word, 16);
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
  const map = bytes[0] !== 0x0f ? 0 : bytes[1] === 0x38 && bytes.length > 2 ? 2 : bytes[1] === 0x3a && bytes.length > 2 ? 3 : 1;
  const [name = '', ...operands] = what.split(/[\s,]+/);
  const sreg = [...attribute].find((a) => a.startsWith('sreg='));
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
    sreg: sreg ? Number(sreg.slice(5)) : -1,
    traits: traitsOf(name, operands, attribute.has('branch')),
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
