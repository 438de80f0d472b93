import type { Decoder } from '../isa/decoder.ts';
import type { Row } from '../isa/row.ts';
import { rows } from '../isa/rows/index.ts';
import { handlerIndex, operandBits, widthIndex } from './handlers.ts';
import { BYTE_REGISTER, REC_A, REC_B, recordFields, Source } from './record.ts';

/**
 * How the record of an instruction follows from its bytes, for all instructions that agree in map, opcode, mandatory prefix, REX.W and
 * in ModRM.reg and whether ModRM names memory.
 */
export interface InstructionForm {
  /** `Form` */
  readonly bits: number;
  /** Two handlers: that of the register form, a far branch or base + displacement; above, that of a near branch or with an index. */
  readonly handlers: number;
  /** What the registers of ModRM.reg and (above) of ModRM.rm or the opcode are multiplied with to be in their places. */
  readonly places: number;
  /** What of the immediate, sign-extended, counts. */
  readonly mask: number;
}

export const Form = {
  /** There is one. */
  known: 1 << 0,
  modrm: 1 << 1,
  /** Any of the next four. */
  uncommon: 15 << 2,
  /** Byte registers: without a REX prefix 4 to 7 are AH to BH. */
  byteReg: 1 << 2,
  byteRm: 1 << 3,
  /** In the place of ModRM.rm the record has the segment of the memory operand. */
  segment: 1 << 4,
  /** A second half of the immediate follows. */
  wide: 1 << 5,
  /** The record ends a block. */
  branch: 1 << 6,
  relative: 1 << 7,
  linkable: 1 << 8,
  /** Jcc, which may be fused with the comparison before it. */
  condition: 1 << 9,
  call: 1 << 10,
  return: 1 << 11,
  /** The block goes on behind it. */
  conditional: 1 << 12,
  /** The immediate: bytes (three bits), and 32 less its bits (five bits). */
  immediateSize: 16,
  immediateShift: 24,
} as const;

/** Opcodes of which single ModRM bytes are instructions of their own. */
const exact = new Set(rows.filter((r) => r.modrmByte >= 0).map((r) => (r.map << 8) | r.opcode));
/** NOP, PAUSE and XCHG: REX.B decides. */
const NOP = 0x90;

/** The form of the instruction that `d` just decoded; undefined: such instructions are decoded the general way. */
export function formOf(d: Decoder): InstructionForm | undefined {
  const { row } = d;
  const { traits } = row;
  if (d.mode !== 64 || d.addrsize !== 64 || d.segmentOverride || d.lock || d.vvvv >= 0) return undefined;
  if (row.helper || row.string || row.elements || traits.x87 || traits.absolute || traits.countsInRcx) return undefined;
  if (row.map > 1 || exact.has((row.map << 8) | row.opcode) || (row.map === 0 && d.opcode === NOP)) return undefined;
  const bits = operandBits(row, d.opsize);
  const immediate = immediateForm(row, d.opsize, bits);
  const fields = fieldBits(row, d.isMemory);
  const handlers = handlersOf(row, bits, d.isMemory);
  if (immediate === undefined || fields === undefined || handlers === undefined) return undefined;
  const modrm = row.hasModrm ? Form.modrm : 0;
  return { bits: Form.known | modrm | immediate.bits | fields.bits | branchBits(row), handlers, places: fields.places, mask: immediate.mask };
}

function handlersOf(row: Row, bits: number, memory: boolean): number | undefined {
  const handler = (form: number, extra: number): number => row.handlers[handlerIndex(widthIndex(bits), form, extra)]!;
  const first = handler(memory ? 1 : 0, 0);
  const second = memory ? handler(2, 0) : row.traits.linkable ? handler(0, 2) : first;
  return first === 0 || second === 0 ? undefined : first | (second << 16);
}

/** By the number that row.ts gives the operand (`Immediate`). */
function immediateForm(row: Row, opsize: number, bits: number): { readonly bits: number; readonly mask: number } | undefined {
  const [kind, ...others] = row.immediates;
  const sized = (size: 1 | 2 | 4, mask: number, more = 0): { bits: number; mask: number } => ({
    bits: (size << Form.immediateSize) | (((32 - size * 8) & 31) << Form.immediateShift) | more,
    mask,
  });
  if (others.length > 0) return undefined;
  switch (kind) {
    case undefined:
      return { bits: 0, mask: 0 };
    case 1: // Ib
      return sized(1, opsize === 8 ? -1 : 0xff);
    case 2: // Ibs, Jb
      return sized(1, -1);
    case 5: // Iw
      return sized(2, 0xffff);
    case 6: // Iz, Jz
      return sized(opsize === 16 ? 2 : 4, -1);
    case 7: // Iv
      return opsize === 16 ? sized(2, -1) : sized(4, -1, bits === 64 ? Form.wide : 0);
    default:
      return undefined;
  }
}

/** Undefined: an operand that is neither in ModRM.reg nor in ModRM.rm, or two in one place. */
function fieldBits(row: Row, memory: boolean): { readonly bits: number; readonly places: number } | undefined {
  const fields = (row.fields ??= recordFields(row.operands));
  let bits = 0;
  const factors = { reg: 0, rm: 0 };
  const taken = new Set<number>();
  for (let n = 0; n < fields.length; n += 2) {
    const source = fields[n]! & ~BYTE_REGISTER;
    const byte = (fields[n]! & BYTE_REGISTER) !== 0;
    const place = fields[n + 1]!;
    if (source === Source.wideImmediate || (source === Source.registerForm && memory)) continue;
    if ((place !== REC_A && place !== REC_B) || taken.has(place)) return undefined;
    taken.add(place);
    const factor = place === REC_A ? 1 : 0x100;
    if (source === Source.reg) {
      factors.reg += factor;
      if (byte) bits |= Form.byteReg;
    } else if (source === Source.rm || source === Source.registerForm) {
      factors.rm += factor;
      if (byte) bits |= Form.byteRm;
    } else if (source === Source.segment) {
      if (factors.rm !== 0) return undefined;
      factors.rm = factor;
      bits |= Form.segment;
    } else if (source !== Source.zero) return undefined;
  }
  return { bits, places: factors.reg | (factors.rm << 16) };
}

function branchBits(row: Row): number {
  if (!row.branch) return 0;
  const { traits } = row;
  return (
    Form.branch |
    (traits.relative ? Form.relative : 0) |
    (traits.linkable ? Form.linkable : 0) |
    (traits.jcc ? Form.condition : 0) |
    (traits.call ? Form.call : 0) |
    (traits.return ? Form.return : 0) |
    (traits.conditional ? Form.conditional : 0)
  );
}
