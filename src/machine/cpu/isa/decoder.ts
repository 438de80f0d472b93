import { featuresOf } from './features.ts';
import type { Insn } from './insn.ts';
import type { Row } from './row.ts';
import { rows } from './rows/index.ts';

/** Why `decode` gave up: not an instruction, longer than 15 bytes, or the bytes given end too early. */
export type DecodeFailure = 'undefined' | 'too-long' | 'truncated';

/**
 * Decodes one instruction into numbers; the object is reused from one call to the next. SDM Vol. 2, chapter 2 and
 * appendix A. Cheap on purpose: code that runs once costs decoding and little else.
 */
export class Decoder {
  row!: Row;
  mode: 16 | 32 | 64 = 64;
  length = 0;
  /** Effective operand and address size in bits; byte instructions have opsize 8 here. */
  opsize: 8 | 16 | 32 | 64 = 32;
  addrsize: 16 | 32 | 64 = 64;
  rep = 0;
  lock = false;
  rex = 0;
  opcode = 0;
  modrm = -1;
  reg = 0;
  rm = 0;
  isMemory = false;
  base = -1;
  index = -1;
  scale = 0;
  disp = 0;
  /** High half of a 64-bit absolute offset (moffs). */
  dispHigh = 0;
  segment = 3;
  segmentOverride = false;
  immLow = 0;
  immHigh = 0;
  imm2 = 0;
  /** Register in VEX.vvvv, -1 without a VEX prefix; and the one in bits 7:4 of the immediate (/is4). */
  vvvv = -1;
  is4 = 0;

  readonly #tables: Tables;
  #bytes!: Uint8Array;
  #at = 0;
  #end = 0;

  /** @param features what the CPU model offers: instructions of others are undefined. Left out: all that are built. */
  constructor(features?: ReadonlySet<string>) {
    this.#tables = tablesFor(features);
  }

  /**
   * @param at where the instruction starts in `bytes`
   * @param end one past the last byte that may be read (a page end, a segment limit)
   * @returns undefined when decoded, else why not
   */
  decode(bytes: Uint8Array, at: number, end: number, mode: 16 | 32 | 64): DecodeFailure | undefined {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = Math.min(end, at + 15);
    this.mode = mode;
    const failure = this.#decode(mode);
    this.length = this.#at - at;
    if (failure !== 'truncated') return failure;
    return end - at >= 15 ? 'too-long' : 'truncated';
  }

  /** The same instruction as an object that can be kept. */
  toInsn(): Insn {
    const {
      row,
      mode,
      length,
      opsize,
      addrsize,
      rep,
      lock,
      rex,
      opcode,
      modrm,
      reg,
      rm,
      isMemory,
      base,
      index,
      scale,
      segment,
      segmentOverride,
      imm2,
    } = this;
    const wide = row.operands.some((o) => o[0] === 'O') && addrsize === 64;
    const disp = wide ? (BigInt(this.dispHigh) << 32n) | BigInt(this.disp >>> 0) : BigInt(this.disp);
    const imm = (BigInt(this.immHigh) << 32n) | BigInt(this.immLow >>> 0);
    return {
      name: row.name, mode, length, opsize, addrsize, rep, lock, rex, opcode, modrm, rm, isMemory, base, index, scale, disp, segment, segmentOverride, imm, imm2,
      run: undefined,
      reg: row.sreg >= 0 ? row.sreg : reg,
      ...(this.vvvv >= 0 ? { vvvv: this.vvvv, vectorBytes: row.vectorBytes } : {}),
    }; // prettier-ignore
  }

  #byte(): number {
    return this.#bytes[this.#at++]!;
  }

  #signed(size: number): number {
    const b = this.#bytes;
    const at = this.#at;
    this.#at += size;
    if (size === 1) return (b[at]! << 24) >> 24;
    if (size === 2) return ((b[at]! | (b[at + 1]! << 8)) << 16) >> 16;
    return b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);
  }

  #decode(mode: 16 | 32 | 64): DecodeFailure | undefined {
    const end = this.#end;
    let opsizePrefix = false;
    let addrsizePrefix = false;
    let rex = 0;
    let rep = 0;
    let segment = -1;
    this.lock = false;
    let byte: number;
    for (;;) {
      if (this.#at >= end) return 'truncated';
      byte = this.#byte();
      if (byte === 0x66) opsizePrefix = true;
      else if (byte === 0x67) addrsizePrefix = true;
      else if (byte === 0xf2 || byte === 0xf3) rep = byte;
      else if (byte === 0xf0) this.lock = true;
      else if (byte === 0x64 || byte === 0x65) segment = byte - 0x60;
      else if (byte === 0x26 || byte === 0x2e || byte === 0x36 || byte === 0x3e) {
        if (mode !== 64) segment = (byte - 0x26) >> 3;
      } else if (mode === 64 && (byte & 0xf0) === 0x40) {
        rex = byte;
        continue; // a REX prefix counts only right before the opcode
      } else break;
      rex = 0;
    }
    let map = 0;
    this.vvvv = -1;
    // C4 and C5 are LES and LDS with a memory operand outside 64-bit mode, else VEX: SDM Vol. 2, 2.3.5.
    if ((byte === 0xc4 || byte === 0xc5) && (mode === 64 || this.#at >= end || this.#bytes[this.#at]! >= 0xc0)) {
      if (this.#at + (byte === 0xc4 ? 2 : 1) > end) return 'truncated';
      if (opsizePrefix || rep !== 0 || this.lock || rex !== 0) return 'undefined';
      this.addrsize = mode === 64 ? (addrsizePrefix ? 32 : 64) : (mode === 32) !== addrsizePrefix ? 32 : 16;
      return this.#decodeVex(byte, mode, segment);
    }
    if (byte === 0x0f) {
      if (this.#at >= end) return 'truncated';
      byte = this.#byte();
      map = 1;
      if (byte === 0x38 || byte === 0x3a) {
        if (this.#at >= end) return 'truncated';
        map = byte === 0x38 ? 2 : 3;
        byte = this.#byte();
      }
    }
    this.opcode = byte;
    this.rex = rex;
    this.rep = rep;
    this.addrsize = mode === 64 ? (addrsizePrefix ? 32 : 64) : (mode === 32) !== addrsizePrefix ? 32 : 16;

    const candidates = this.#tables.legacy[(mode === 64 ? 1024 : 0) + map * 256 + byte];
    if (candidates === undefined) return 'undefined';
    let modrm = -1;
    if (candidates.needsModrm) {
      if (this.#at >= end) return 'truncated';
      modrm = this.#bytes[this.#at]!;
    }
    // 90 is NOP, or PAUSE with F3, unless REX.B makes it XCHG r8: SDM Vol. 2, NOP.
    const row =
      byte === 0x90 && map === 0
        ? rex & 1
          ? XCHG
          : rep === 0xf3
            ? PAUSE
            : NOP
        : (candidates.simple ?? choose(candidates, rep !== 0 ? rep : opsizePrefix ? 0x66 : 0, modrm));
    if (row === undefined) return 'undefined';
    this.row = row;
    this.modrm = row.hasModrm ? modrm : -1;

    const sized66 = opsizePrefix && row.prefix !== 0x66 && !row.atLeast32;
    this.opsize = row.byte
      ? 8
      : mode === 64
        ? row.force64 || (rex & 8) !== 0
          ? 64
          : sized66
            ? 16
            : row.default64
              ? 64
              : 32
        : row.atLeast32 || (mode === 32) !== sized66
          ? 32
          : 16;

    if (!this.#operands(row, segment, modrm)) return 'truncated';
    if (this.lock && !(row.lock && this.isMemory)) return 'undefined';
    return undefined;
  }

  /** ModRM with what follows it, and immediates. False: the bytes end too early. */
  #operands(row: Row, segment: number, modrm: number): boolean {
    const { rex } = this;
    this.isMemory = false;
    this.base = -1;
    this.index = -1;
    this.scale = 0;
    this.disp = 0;
    this.segment = segment >= 0 ? segment : 3;
    this.segmentOverride = segment >= 0;
    if (row.hasModrm) {
      this.#at++;
      this.reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
      this.rm = (modrm & 7) | ((rex & 1) << 3);
      // MOV to and from control and debug registers ignores mod (SDM Vol. 2, MOV—Move to/from Control Registers).
      if (modrm < 0xc0 && !(row.map === 1 && this.opcode >= 0x20 && this.opcode <= 0x23)) {
        this.isMemory = true;
        if (!(this.addrsize === 16 ? this.#address16(modrm) : this.#address(modrm, rex))) return false;
        if (segment < 0 && (this.base === 4 || (this.base === 5 && (this.rex & 1) === 0))) this.segment = 2;
      }
    } else if (row.plusRegister) {
      this.rm = (this.opcode & 7) | ((rex & 1) << 3);
      this.reg = this.rm;
    }
    this.immLow = 0;
    this.immHigh = 0;
    this.imm2 = 0;
    const { immediates } = row;
    for (let n = 0; n < immediates.length; n++) this.#immediate(immediates[n]!);
    return this.#at <= this.#end;
  }

  /** From the byte after C4 or C5 on: SDM Vol. 2, 2.3. */
  #decodeVex(first: number, mode: 16 | 32 | 64, segment: number): DecodeFailure | undefined {
    let byte = this.#byte();
    let rex = 0x40 | ((~byte >> 5) & 4); // R, X and B are inverted
    let map = 1;
    if (first === 0xc4) {
      rex |= (~byte >> 5) & 3;
      map = byte & 31;
      byte = this.#byte();
      rex |= (byte >> 4) & 8;
      if (map < 1 || map > 3) return 'undefined';
    }
    // Outside 64-bit mode there are eight registers.
    if (mode !== 64) rex &= 0x48;
    if (this.#at >= this.#end) return 'truncated';
    this.opcode = this.#byte();
    const candidates = this.#tables.vex[(mode === 64 ? 1024 : 0) + map * 256 + this.opcode];
    if (candidates === undefined) return 'undefined';
    let modrm = -1;
    if (candidates.needsModrm) {
      if (this.#at >= this.#end) return 'truncated';
      modrm = this.#bytes[this.#at]!;
    }
    const w = rex & 8;
    const row = selectVex(candidates.rows, byte & 7, w !== 0 ? 1 : 0, modrm, mode);
    if (row === undefined) return 'undefined';
    const vvvv = (~byte >> 3) & 15;
    if (!row.vvvv && vvvv !== 0) return 'undefined';
    if (row.vsib && ((modrm & 7) !== 4 || this.addrsize === 16)) return 'undefined';
    this.row = row;
    this.rex = rex;
    this.rep = 0;
    this.modrm = row.hasModrm ? modrm : -1;
    this.vvvv = mode === 64 ? vvvv : vvvv & 7;
    this.opsize = mode === 64 && w !== 0 ? 64 : 32;
    if (!this.#operands(row, segment, modrm)) return 'truncated';
    // Destination, index and mask of a gather are three registers: SDM Vol. 2, 2.3.12.
    return row.vsib && (this.reg === this.index || this.reg === this.vvvv || this.index === this.vvvv) ? 'undefined' : undefined;
  }

  /** ModRM and SIB with 32 and 64-bit addressing: SDM Vol. 2, tables 2-2 and 2-3. */
  #address(modrm: number, rex: number): boolean {
    const mod = modrm >> 6;
    let low = modrm & 7;
    if (low === 4) {
      if (this.#at >= this.#end) return false;
      const sib = this.#byte();
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4 || this.row.vsib) {
        this.index = index;
        this.scale = sib >> 6;
      }
      low = sib & 7;
      if (low === 5 && mod === 0) {
        this.disp = this.#signed(4);
        return this.#at <= this.#end;
      }
      this.base = low | ((rex & 1) << 3);
    } else if (low === 5 && mod === 0) {
      this.disp = this.#signed(4);
      if (this.mode === 64) this.base = 16;
      return this.#at <= this.#end;
    } else this.base = low | ((rex & 1) << 3);
    if (mod === 1) this.disp = this.#signed(1);
    else if (mod === 2) this.disp = this.#signed(4);
    return this.#at <= this.#end;
  }

  /** SDM Vol. 2, table 2-1. */
  #address16(modrm: number): boolean {
    const mod = modrm >> 6;
    const low = modrm & 7;
    if (low === 6 && mod === 0) {
      this.disp = this.#signed(2) & 0xffff;
      return this.#at <= this.#end;
    }
    this.base = [3, 3, 5, 5, 6, 7, 5, 3][low]!;
    this.index = [6, 7, 6, 7, -1, -1, -1, -1][low]!;
    if (mod === 1) this.disp = this.#signed(1);
    else if (mod === 2) this.disp = this.#signed(2);
    return this.#at <= this.#end;
  }

  /** By the number that row.ts gives the operand (`Immediate`). */
  #immediate(kind: number): void {
    const { opsize } = this;
    switch (kind) {
      case 1: // Ib
        this.immLow = this.#signed(1);
        if (opsize !== 8) this.immLow &= 0xff;
        break;
      case 2: // Ibs, Jb
        this.immLow = this.#signed(1);
        break;
      case 3: // Lx
        this.immLow = this.#signed(1);
        this.is4 = (this.immLow >> 4) & (this.mode === 64 ? 15 : 7);
        break;
      case 4: // Ib2
        this.imm2 = this.#signed(1) & 0xff;
        break;
      case 5: // Iw
        this.immLow = this.#signed(2) & 0xffff;
        break;
      case 6: // Iz, Jz
        this.immLow = this.#signed(opsize === 16 ? 2 : 4);
        break;
      case 7: // Iv
        this.immLow = this.#signed(opsize === 16 ? 2 : 4);
        if (opsize === 64) {
          this.immHigh = this.#signed(4);
          return;
        }
        break;
      case 8: // Ob, Ov
        this.isMemory = true;
        this.disp = this.#signed(this.addrsize === 16 ? 2 : 4);
        if (this.addrsize === 16) this.disp &= 0xffff;
        this.dispHigh = this.addrsize === 64 ? this.#signed(4) : 0;
        return;
      default: // Ap
        this.immLow = this.#signed(opsize === 16 ? 2 : 4);
        if (opsize === 16) this.immLow &= 0xffff;
        this.imm2 = this.#signed(2) & 0xffff;
        this.immHigh = 0;
        return;
    }
    this.immHigh = this.immLow >> 31;
  }
}

interface Candidates {
  readonly rows: readonly Row[];
  readonly needsModrm: boolean;
  /** The row when there is nothing to choose by. */
  readonly simple: Row | undefined;
  /** What `choose` found before; null: nothing. */
  readonly choices: (Row | null | undefined)[];
}

/** `select`, remembered by prefix and ModRM byte. */
function choose(candidates: Candidates, prefix: number, modrm: number): Row | undefined {
  const at = ((prefix === 0 ? 0 : prefix === 0x66 ? 1 : prefix === 0xf3 ? 2 : 3) << 8) | (modrm & 0xff);
  let row = candidates.choices[at];
  if (row === undefined) candidates.choices[at] = row = select(candidates.rows, prefix, modrm) ?? null;
  return row ?? undefined;
}

function select(candidates: readonly Row[], prefix: number, modrm: number): Row | undefined {
  for (const row of candidates) {
    if (row.prefix === -2 ? prefix >= 0xf2 : row.prefix >= 0 && row.prefix !== prefix) continue;
    if (row.modrmByte >= 0 && row.modrmByte !== modrm) continue;
    if (row.extension >= 0 && row.extension !== ((modrm >> 3) & 7)) continue;
    if (row.form !== 'any' && (row.form === 'memory') !== modrm < 0xc0) continue;
    return row;
  }
  return undefined;
}

/** By pp (in VEX's code), L and W: SDM Vol. 2, table 2-8. Outside 64-bit mode W does not make general registers wider. */
function selectVex(candidates: readonly Row[], bits: number, w: 0 | 1, modrm: number, mode: number): Row | undefined {
  const prefix = PP[bits & 3]!;
  const length = bits & 4 ? 32 : 16;
  for (const row of candidates) {
    const vex = row.vex!;
    if (row.prefix !== prefix || (vex.length !== 0 && vex.length !== length)) continue;
    if (vex.w >= 0 && vex.w !== w && (mode === 64 || !row.traits.general)) continue;
    if (row.extension >= 0 && row.extension !== ((modrm >> 3) & 7)) continue;
    if (row.form !== 'any' && (row.form === 'memory') !== modrm < 0xc0) continue;
    return row;
  }
  return undefined;
}
const PP = [0, 0x66, 0xf3, 0xf2] as const;

function buildTable(offered: readonly Row[]): (Candidates | undefined)[] {
  const byOpcode: Row[][] = Array.from({ length: 2048 }, () => []);
  for (const row of offered)
    for (let r = 0; r < (row.plusRegister ? 8 : 1); r++)
      for (const [offset, valid] of [
        [0, row.inLegacy],
        [1024, row.in64],
      ] as const)
        // prettier-ignore
        if (valid) byOpcode[offset + row.map * 256 + row.opcode + r]!.push(row);
  return byOpcode.map((list) => {
    if (list.length === 0) return undefined;
    // A whole ModRM byte is more specific than an extension, a mandatory prefix more than none.
    list.sort((a, b) => Number(b.modrmByte >= 0) - Number(a.modrmByte >= 0) || Number(b.prefix > 0) - Number(a.prefix > 0));
    const only = list.length === 1 ? list[0]! : undefined;
    const simple = only && only.prefix === -1 && only.extension < 0 && only.modrmByte < 0 && only.form === 'any' ? only : undefined;
    return { rows: list, needsModrm: list.some((r) => r.hasModrm), simple, choices: new Array<Row | null | undefined>(1024).fill(undefined) };
  });
}

interface Tables {
  readonly legacy: readonly (Candidates | undefined)[];
  readonly vex: readonly (Candidates | undefined)[];
}

const ALL: ReadonlySet<string> = new Set();
const byFeatures = new WeakMap<ReadonlySet<string>, Tables>();

function tablesFor(features: ReadonlySet<string> | undefined): Tables {
  const key = features ?? ALL;
  let tables = byFeatures.get(key);
  if (!tables) {
    const offered = features ? rows.filter((r) => featuresOf(r).every((f) => features.has(f))) : rows;
    tables = { legacy: buildTable(offered.filter((r) => !r.vex)), vex: buildTable(offered.filter((r) => r.vex)) };
    byFeatures.set(key, tables);
  }
  return tables;
}

const NOP = rows.find((r) => r.encoding === '90')!;
const PAUSE = rows.find((r) => r.encoding === 'F3 90')!;
const XCHG = rows.find((r) => r.encoding === '90+r')!;
