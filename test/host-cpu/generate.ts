import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import type { Case } from './case.ts';
import { CODE, DATA } from './case.ts';
import type { Random } from './random.ts';
import { undefinedFlags } from './undefined-flags.ts';

/** Instructions written in TypeScript that a user program may execute, and whose outcome does not depend on the system. */
const userHelpers = new Set(['xlat', 'enter', 'pop_rm']);
/** Rows that need more than one instruction to observe, or that the host would not come back from. */
const left = new Set(['call', 'call_rm', 'ret', 'jmp', 'jmp_rm', 'leave']);

/** The rows that cases are made of: everything that runs in user mode and falls through. */
export const testedRows: readonly Row[] = rows.filter((r) => r.in64 && (!r.helper || userHelpers.has(r.name)) && !left.has(r.name));

const RSP = 4;

/** One random case of a row. */
export function generate(row: Row, random: Random): Case {
  const gpr = Array.from({ length: 16 }, () => random.value());
  const xmm = Array.from({ length: 32 }, () => random.value());
  gpr[RSP] = BigInt(DATA + 0x1000 + (random.chance(8) ? 4 - random.below(8) : 8 * (random.below(64) - 32)));
  const bytes: number[] = [];
  const operand66 = row.prefix < 0 && !row.force64 && random.chance(4);
  if (operand66) bytes.push(0x66);
  if (row.prefix > 0) bytes.push(row.prefix);
  const rep = row.string ? random.pick([0, 0xf2, 0xf3]) : 0;
  if (rep) bytes.push(rep);
  // A segment override or a 32-bit address in one case of sixteen: other paths through the emulator.
  const address32 = random.chance(16) && (row.string || row.hasModrm);
  if (address32) bytes.push(0x67);
  const rexW = random.chance(3);
  const extend = random.chance(2);
  const rex = random.chance(2) ? 0x40 | (rexW ? 8 : 0) | (extend ? random.below(8) : 0) : rexW ? 0x48 : 0;
  if (rex) bytes.push(rex);
  if (row.map > 0) bytes.push(0x0f);
  if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  const register = random.below(8);
  bytes.push(row.opcode | (row.plusRegister ? register : 0));
  const width = row.byte ? 8 : rex & 8 || row.force64 ? 64 : operand66 ? 16 : row.default64 ? 64 : 32;

  const immediates = immediateBytes(row, width, random);
  // A 16-bit double shift by more than 16 has an undefined result.
  if (width === 16 && /^sh[lr]d$/.test(row.name)) {
    gpr[1] = BigInt(random.below(17));
    if (immediates.length > 0) immediates[0] = random.below(17);
  }
  // Mostly quotients that fit.
  if (/^i?div$/.test(row.name) && !random.chance(3)) gpr[2] = random.chance(2) ? BigInt(random.below(4)) : gpr[2]! >> 60n;
  if (row.string) prepareString(row, gpr, rep, random);
  if (row.hasModrm) bytes.push(...modrm(row, gpr, rex, bytes.length, immediates.length, random));
  if (row.operands.some((o) => o[0] === 'O')) {
    const at = BigInt(DATA + 0x1000 - 8 + random.below(16));
    for (let n = 0; n < 8; n++) bytes.push(Number((at >> BigInt(n * 8)) & 0xffn));
  }
  bytes.push(...immediates);
  if (row.name === 'enter') gpr[5] = BigInt(DATA + 0x1000 + random.below(64));
  if (row.name === 'xlat') {
    gpr[0] = random.u64();
    gpr[3] = BigInt(DATA + 0x800);
  }
  if (width === 16 && /^sh[lr]d$/.test(row.name) && (gpr[1]! & 31n) > 16n) return generate(row, random); // rCX became a base
  const counts = row.operands.at(-1) ?? '';
  const raw = counts === '1' ? 1 : counts[0] === 'C' ? Number(gpr[1]! & 0xffn) : (immediates[0] ?? 0);
  const count = raw & (width === 64 ? 63 : 31);
  return {
    name: `${row.encoding} ${row.name} ${width}`,
    code: Uint8Array.from(branchTail(row, bytes)),
    seed: random.u64(),
    gpr, xmm,
    flags: random.below(0x1000) & (0x8d5 | (row.string ? 0x400 : 0)),
    undefinedFlags: undefinedFlags(row.name, count, width),
  }; // prettier-ignore
}

/** After a conditional branch over it: an instruction whose effect shows whether it was skipped. */
function branchTail(row: Row, bytes: number[]): number[] {
  if (!row.branch) return bytes;
  return [...bytes, 0xbb, 0x11, 0x22, 0x33, 0x44]; // mov ebx, 0x44332211
}

function immediateBytes(row: Row, width: number, random: Random): number[] {
  const out: number[] = [];
  const push = (value: bigint, size: number): void => {
    for (let n = 0; n < size; n++) out.push(Number((value >> BigInt(n * 8)) & 0xffn));
  };
  for (const o of row.operands) {
    if (o === 'Jb') push(random.chance(2) ? 5n : 0n, 1);
    else if (o === 'Jz') push(random.chance(2) ? 5n : 0n, 4);
    else if (o === 'Ib' || o === 'Ibs') push(random.value(), 1);
    else if (o === 'Ib2') push(BigInt(random.below(5)), 1);
    else if (o === 'Iw') push(BigInt(random.below(64) * 8), 2);
    else if (o === 'Iz') push(random.value(), width === 16 ? 2 : 4);
    else if (o === 'Iv') push(random.value(), width / 8);
  }
  return out;
}

/** rSI, rDI and a short rCX, so that all elements lie in the data pages whichever way they go. */
function prepareString(row: Row, gpr: bigint[], rep: number, random: Random): void {
  if (rep) gpr[1] = BigInt(random.below(20));
  gpr[6] = BigInt(DATA + 0x1000 + random.below(512) - 256);
  gpr[7] = random.chance(4) ? gpr[6]! + BigInt(random.below(16)) : BigInt(DATA + 0x1000 + random.below(512) - 256);
  if (row.name === 'scas' && random.chance(2)) gpr[0] = 0n;
}

/** ModRM, SIB and displacement; registers are set so that the address lies in the data pages, often across their border. */
function modrm(row: Row, gpr: bigint[], rex: number, soFar: number, immediateLength: number, random: Random): number[] {
  if (row.modrmByte >= 0) return [row.modrmByte];
  const reg = row.extension >= 0 ? row.extension : random.below(8);
  const memory = row.form === 'memory' || (row.form === 'any' && random.chance(2));
  if (!memory) return [0xc0 | (reg << 3) | random.below(8)];
  let target = DATA + 0x1000 + (random.chance(3) ? random.below(64) - 40 : random.below(0x1800) - 0xc00);
  if (row.operands.some((o) => o.endsWith('16a')) && !random.chance(8)) target &= ~15;
  if (row.name === 'cmpxchg8b' && !random.chance(8)) target &= ~15;
  const bitString = /^bt/.test(row.name) && row.operands[1] === 'Gv';
  const b = (rex & 1) << 3;
  const x = (rex & 2) << 2;
  const shape = random.below(5);
  const disp8 = random.below(256) - 128;
  const disp32 = random.below(0x1000) - 0x800;
  const le = (v: number): number[] => [v & 0xff, (v >> 8) & 0xff, (v >> 16) & 0xff, (v >> 24) & 0xff];
  const used = new Set<number>();
  // BT and friends with a register index reach far: keep the index small. An index that is part of the address stays out.
  const finish = (out: number[]): number[] => {
    const index = reg | ((rex & 4) << 1);
    if (!bitString) return out;
    if (used.has(index) || index === RSP) return [0xc0 | (reg << 3) | (out[0]! & 7)];
    gpr[index] = BigInt.asUintN(64, BigInt(random.below(8000) - 4000));
    return out;
  };
  const setBase = (n: number, v: number): void => {
    gpr[n] = BigInt.asUintN(64, BigInt(v));
    used.add(n);
  };
  if (shape === 0) {
    // RIP-relative
    const length = soFar + 5 + immediateLength;
    return finish([(reg << 3) | 5, ...le(target - (CODE + length))]);
  }
  let base = random.below(8);
  if (shape <= 2) {
    if (base === 4) base = 3;
    if (shape === 1 && base !== 5) {
      setBase(base | b, target);
      return finish([(reg << 3) | base]);
    }
    setBase(base | b, target - disp8);
    return finish([0x40 | (reg << 3) | base, disp8 & 0xff]);
  }
  const scale = random.below(4);
  const index = random.below(8);
  let rest = target - disp32;
  if ((index | x) !== 4 && (index | x) !== (base | b)) {
    const amount = random.below(64) - 32;
    gpr[index | x] = BigInt.asUintN(64, BigInt(amount));
    used.add(index | x);
    rest -= amount << scale;
    setBase(base | b, rest);
  } else if ((index | x) === 4) setBase(base | b, rest);
  else {
    base = (index + 1) & 7;
    if ((base | b) === 4 && row.stack) base = (base + 1) & 7;
    gpr[index | x] = 3n;
    used.add(index | x);
    if ((base | b) !== (index | x)) setBase(base | b, rest - (3 << scale));
  }
  return finish([0x80 | (reg << 3) | 4, (scale << 6) | (index << 3) | base, ...le(disp32)]);
}
