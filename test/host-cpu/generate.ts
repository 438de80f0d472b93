import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { littleEndian, memoryOperand } from './addressing.ts';
import type { Case, Mode } from './case.ts';
import { CODE, DATA, SEEDS, segmentBase } from './case.ts';
import type { Draft, Where } from './draft.ts';
import {
  addressPrefixes,
  effectiveSegment,
  newDraft,
  offsetIn,
  pickTarget,
  pin,
  randomRegisters,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  setLow,
  stackBits,
} from './draft.ts';
import type { VectorDemands } from './gather.ts';
import { gatherDemands, NO_DEMANDS } from './gather.ts';
import type { Random } from './random.ts';
import { isX87, randomState } from './random-state.ts';
import { comparedMemory } from './tested-rows.ts';
import { undefinedFlags } from './undefined-flags.ts';
import { vexPrefix } from './vex-prefix.ts';

const AC = 0x4_0000;
const doubleShift = (row: Row): boolean => /^sh[lr]d$/.test(row.name);

/** Code of a row, and everything about its cases that follows from the code. */
interface Mold {
  readonly row: Row;
  readonly draft: Draft;
  readonly name: string;
  readonly code: Uint8Array;
  readonly width: number;
  /** The count of a shift or rotate, from rCX's value. */
  readonly count: (rcx: bigint) => number;
  readonly vector: VectorDemands;
}

/** Cases of a row with the same code, each with its own registers, flags, vectors and operand in memory. */
export function generateSeveral(row: Row, random: Random, mode: Mode, where: Where, states: number): Case[] {
  const mold = makeMold(row, random, mode, where);
  return Array.from({ length: states }, (_, n) => cast(mold, random, n > 0));
}

/** One random case of a row. */
export const generate = (row: Row, random: Random, mode: Mode = '64', where: Where = 'data'): Case =>
  cast(makeMold(row, random, mode, where), random, false);

function cast(mold: Mold, random: Random, afresh: boolean): Case {
  const { row, draft, width } = mold;
  const { mode, setup, where } = draft;
  const gpr = afresh ? randomRegisters(mode, random).map((v, n) => (draft.pinned.has(n) ? draft.gpr[n]! : v)) : draft.gpr;
  const unaligned =
    (where === 'edge' && /^(cmps|enter)$/.test(row.name)) || row.traits.vector || isX87(row) || /^(push_sreg|fx(save|rstor))$/.test(row.name);
  return {
    name: mold.name,
    row,
    target: draft.target === undefined ? undefined : draft.target - DATA,
    mode,
    code: mold.code,
    start: 0,
    endBits: setup.bits,
    seed: BigInt(random.below(SEEDS)),
    gpr,
    ...mold.vector.fix(randomState(row, random, draft.target, where === 'edge')),
    flags: (random.u32() & (0x8d5 | (row.string ? 0x400 : 0))) | (!unaligned && random.chance(12) ? AC : 0),
    undefinedFlags: undefinedFlags(row.name, mold.count(gpr[RCX]!), width),
    memory: comparedMemory(row, width),
  };
}

function makeMold(row: Row, random: Random, mode: Mode, where: Where): Mold {
  const d = newDraft(mode, random, where);
  const { gpr, setup } = d;
  const long = mode === '64';
  d.operandBytes =
    row.traits.memoryBytes ||
    Number(/_[mi](\d+)$/.exec(row.name)?.[1] ?? 0) / 8 ||
    (/^f?x(save|rstor)/.test(row.name) ? 512 : /^f(n?save|rstor|n?stenv|ldenv)/.test(row.name) ? 108 : 10);
  const bytes: number[] = [];
  // In 64-bit mode near branches with an operand-size prefix differ between processors.
  const opsizePrefix = row.prefix < 0 && !(long && (row.branch || row.force64)) && random.chance(4);
  if (opsizePrefix) bytes.push(0x66);
  if (row.prefix > 0 && !row.vex) bytes.push(row.prefix);
  const rep = row.string ? random.pick([0, 0xf2, 0xf3]) : 0;
  // Elsewhere in the one-byte map a repeat prefix means nothing (but AMD's LOOPcc obeys it).
  if (rep) bytes.push(rep);
  else if (row.map === 0 && row.opcode !== 0x90 && !row.string && !row.branch && random.chance(32)) bytes.push(random.pick([0xf2, 0xf3]));
  const offsets = row.operands.some((o) => o[0] === 'O');
  if (row.string || row.hasModrm || offsets || row.name === 'xlat' || /^loop|jcxz/.test(row.name)) bytes.push(...addressPrefixes(d, row.string));
  const memory = row.hasModrm && row.modrmByte < 0 && row.form !== 'register' && (row.form === 'memory' || random.chance(2));
  if (memory && row.lock && random.chance(6)) bytes.push(0xf0);
  else if (random.chance(100) && row.name !== 'mov_cr_r' && row.name !== 'mov_r_cr') bytes.push(0xf0); // #UD; AMD reads LOCK MOV CR0 as CR8
  if (random.chance(8)) bytes.sort(() => random.below(3) - 1);
  const rexW = random.chance(3);
  let rex = !long ? 0 : random.chance(2) ? 0x40 | (rexW ? 8 : 0) | (random.chance(2) ? random.below(8) : 0) : rexW ? 0x48 : 0;
  if (row.vex) {
    const prefix = vexPrefix(row, long, random);
    if (random.chance(100)) bytes.push(random.pick([0x66, 0xf2, 0xf3, ...(long ? [0x40] : [])])); // #UD
    bytes.push(...prefix.bytes);
    rex = prefix.rex;
  } else {
    if (long && (rex || bytes.length > 0) && random.chance(50)) bytes.unshift(0x40 | random.below(16)); // a REX prefix before others is ignored, one before REX too
    if (rex) bytes.push(rex);
    if (row.map > 0) bytes.push(0x0f);
    if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  }
  bytes.push(row.opcode | (row.plusRegister ? random.below(8) : 0));
  const width = widthOf(row, long, setup.bits === 16, rex, opsizePrefix);

  const immediates = immediateBytes(row, width, random);
  // Double shifts of 16 bits by more than 16 have an undefined result.
  if (width === 16 && doubleShift(row)) {
    pin(d, RCX, BigInt(random.below(17)));
    if (immediates.length > 0) immediates[0] = random.below(17);
  }
  // Mostly quotients that fit.
  if (/^i?div$/.test(row.name) && !random.chance(3)) pin(d, RDX, random.chance(2) ? BigInt(random.below(4)) : gpr[RDX]! >> 60n);
  if (row.string || /^ins|^outs/.test(row.name)) prepareString(row, d, rep);
  const vector = row.vsib ? gatherDemands(row, d, rex) : NO_DEMANDS;
  if (row.hasModrm) bytes.push(...modrm(row, d, rex, memory, bytes.length, immediates.length, vector));
  if (offsets) bytes.push(...littleEndian(offsetIn(d, effectiveSegment(d, 'ds'), pickTarget(d)), d.address / 8));
  bytes.push(...immediates);
  if (row.name === 'enter' || row.name === 'leave') setLow(d, RBP, stackBits(d), DATA + 0x1000 + random.below(64) - segmentBase(mode, 'ss'));
  // The host may have components that the emulator has not.
  if (/^x(save|rstor)/.test(row.name)) pin(d, RAX, BigInt(random.below(8)));
  // Which of the bytes that are not chosen may fault is the processor's own matter.
  if (/maskmov(dqu|q)/.test(row.name)) setLow(d, RDI, d.address, offsetIn(d, effectiveSegment(d, 'ds'), DATA + 0x1000 + random.below(512) - 256));
  if (row.name === 'xlat') setLow(d, RBX, d.address, offsetIn(d, effectiveSegment(d, 'ds'), DATA + 0x800));
  if (width === 16 && doubleShift(row) && (gpr[RCX]! & 31n) > 16n) return makeMold(row, random, mode, where); // rCX became a base
  const counts = row.operands.at(-1) ?? '';
  const count = (rcx: bigint): number =>
    (counts === '1' ? 1 : counts[0] === 'C' ? Number(rcx & 0xffn) : (immediates[0] ?? 0)) & (width === 64 ? 63 : 31);
  // A pending x87 exception is reported by the next waiting instruction.
  if (isX87(row) && random.chance(3)) bytes.push(0x9b);
  return { row, draft: d, name: `${row.encoding} ${row.name} ${width}`, code: Uint8Array.from(branchTail(row, d, bytes)), width, count, vector };
}

export function widthOf(row: Row, long: boolean, code16: boolean, rex: number, opsizePrefix: boolean): 8 | 16 | 32 | 64 {
  if (row.byte) return 8;
  if (!long) return code16 === opsizePrefix ? 32 : 16;
  if (rex & 8 || row.force64) return 64;
  return opsizePrefix ? 16 : row.default64 ? 64 : 32;
}

/** After a conditional branch over it: an instruction whose effect shows whether it was skipped. */
function branchTail(row: Row, d: Draft, bytes: number[]): number[] {
  if (!row.branch) return bytes;
  return d.setup.bits === 16 ? [...bytes, 0x66, 0xbb, 0x11, 0x22, 0x33, 0x44] : [...bytes, 0xbb, 0x11, 0x22, 0x33, 0x44]; // mov ebx, 0x44332211
}

function immediateBytes(row: Row, width: number, random: Random): number[] {
  const out: number[] = [];
  const tail = random.chance(2) ? 5 : 0;
  for (const o of row.operands) {
    if (o === 'Jb') out.push(random.chance(40) ? 0x80 : tail);
    else if (o === 'Jz') out.push(...littleEndian(random.chance(40) ? -0x8000 : tail, width === 16 ? 2 : 4));
    else if (o === 'Ib' || o === 'Ibs' || o[0] === 'L') out.push(...littleEndian(random.value(), 1));
    else if (o === 'Ib2') out.push(random.below(5));
    else if (o === 'Iw') out.push(...littleEndian(random.below(64) * 8, 2));
    else if (o === 'Iz') out.push(...littleEndian(random.value(), width === 16 ? 2 : 4));
    else if (o === 'Iv') out.push(...littleEndian(random.value(), width / 8));
  }
  return out;
}

/** rSI, rDI and a short rCX, so that all elements lie in the data pages whichever way they go; or leave them, at an edge. */
function prepareString(row: Row, d: Draft, rep: number): void {
  const { random, gpr } = d;
  // One pointer at an edge at a time: of two faults, either may come first.
  const atEdge = d.where !== 'edge' ? 'none' : random.pick(['source', 'destination']);
  const place = (which: string): number => (atEdge === which ? pickTarget(d) : DATA + 0x1000 + random.below(512) - 256);
  const source = d.mode === '64' && d.override === 'gs' ? pickTarget(d) : place('source');
  const destination = random.chance(4) && d.override !== 'gs' && atEdge === 'none' ? source + random.below(16) : place('destination');
  // INS and OUTS with a count of 0: processors differ in whether ports are checked.
  if (rep || !row.string) setLow(d, RCX, d.address, row.string ? random.below(20) : 1);
  setLow(d, RSI, d.address, offsetIn(d, effectiveSegment(d, 'ds'), source));
  setLow(d, RDI, d.address, offsetIn(d, 'es', destination));
  if (row.name === 'scas' && random.chance(2)) gpr[RAX] = 0n;
}

/** ModRM with what follows it. */
function modrm(row: Row, d: Draft, rex: number, memory: boolean, at: number, immediateLength: number, vector: VectorDemands): number[] {
  const { random } = d;
  if (row.modrmByte >= 0) return [row.modrmByte];
  let reg = row.extension >= 0 ? row.extension : random.below(8);
  if (row.name === 'mov_cr_r' || row.name === 'mov_r_cr') reg = random.pick([0, 2, 3, 4]);
  if (!memory) return [0xc0 | (reg << 3) | random.below(8)];
  const aligns = row.operands.some((o) => /^[WQ].*a$/.test(o)) || /^cmpxchg(8|16)b$|^fx/.test(row.name);
  let target = pickTarget(d);
  // An operand that is misaligned and out of bounds as well may fault for either. AMD's SHA instructions take unaligned operands.
  if (aligns && (d.where === 'edge' || row.name.startsWith('sha') || !random.chance(8)))
    target -= target % (d.operandBytes > 16 && d.operandBytes <= 64 ? d.operandBytes : 16);
  if (vector.sib) return [(reg << 3) | 0x84, ...vector.sib(target)];
  d.target = target;
  const operand = memoryOperand(d, reg, rex, target, at, immediateLength, row.stack || row.name === 'pop_rm');
  // BT and friends with a register index reach far: keep the index small. An index that is part of the address stays out.
  if (!/^bt/.test(row.name) || row.operands[1] !== 'Gv') return operand.bytes;
  const index = reg | ((rex & 4) << 1);
  if (operand.used.has(index) || index === 4) return [0xc0 | (reg << 3) | (operand.bytes[0]! & 7)];
  pin(d, index, BigInt.asUintN(d.mode === '64' ? 64 : 32, BigInt(random.below(8000) - 4000)));
  return operand.bytes;
}

export { CODE };
