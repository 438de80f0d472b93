import { Flag, type Cpu } from '../cpu.ts';
import type { Helper, HelperTable } from '../helper.ts';
import * as L from '../layout.ts';

/**
 * RDRAND and RDSEED: SDM Vol. 2. There is no chance in this machine: the numbers are those of splitmix64 (Steele, Lea and Flood,
 * OOPSLA 2014), one sequence for each CPU, begun at power-on from the CPU's number. They are always ready (CF = 1).
 */
const GOLDEN = 0x9e37_79b9_7f4a_7c15n;
const FLAGS = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
const wrap = (v: bigint): bigint => BigInt.asUintN(64, v);

export function seedRandom(cpu: Cpu): void {
  cpu.setU64(L.RANDOM, BigInt(cpu.index) << 32n);
}

function next(cpu: Cpu): bigint {
  const state = wrap(cpu.u64(L.RANDOM) + GOLDEN);
  cpu.setU64(L.RANDOM, state);
  const a = wrap((state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  const b = wrap((a ^ (a >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return b ^ (b >> 31n);
}

const random: Helper = (cpu, insn) => {
  cpu.writeGpr(insn.rm, insn.opsize, next(cpu));
  cpu.rflags = (cpu.rflags & ~FLAGS) | Flag.CF;
};

export const randomInstructions: HelperTable = { rdrand: random, rdseed: random };
