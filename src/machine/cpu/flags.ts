import { AUX, FLG, RES } from './layout.ts';
import type { Cpu } from './cpu.ts';

/** Computes CF PF AF ZF SF OF from the symbolic form (layout.ts: RES, AUX, FLG). */
export function arithmeticFlags(cpu: Cpu): number {
  const { i32, u32 } = cpu.m;
  const b = cpu.block >> 2;
  const low = u32[b + (RES >> 2)]!;
  const high = i32[b + (RES >> 2) + 1]!;
  const auxLow = u32[b + (AUX >> 2)]!;
  const auxHigh = u32[b + (AUX >> 2) + 1]!;
  const flg = u32[b + (FLG >> 2)]!;
  const cf = flg & 1;
  let parity = (low ^ (flg >>> 8)) & 0xff;
  parity ^= parity >> 4;
  const pf = ((0x9669 >> (parity & 15)) & 1) << 2;
  const zf = (low | high) === 0 ? 0x40 : 0;
  const sf = ((high >>> 31) ^ ((flg >> 1) & 1)) << 7;
  const of = (cf ^ (auxHigh >>> 31)) << 11;
  return cf | pf | (auxLow & 0x10) | zf | sf | of;
}

/** Sets the symbolic form so that it reads as the given flags, any combination. */
export function setArithmeticFlags(cpu: Cpu, v: number): void {
  const { u32 } = cpu.m;
  const b = cpu.block >> 2;
  const zf = (v >> 6) & 1;
  const sf = (v >> 7) & 1;
  const cf = v & 1;
  const low = zf ? 0 : 1; // parity of 0 is even (PF=1), of 1 is odd (PF=0)
  const flip = ((v >> 2) & 1) === (zf ? 1 : 0) ? 0 : 1;
  u32[b + (RES >> 2)] = low;
  u32[b + (RES >> 2) + 1] = 0;
  u32[b + (FLG >> 2)] = cf | (sf << 1) | (flip << 8);
  u32[b + (AUX >> 2)] = v & 0x10;
  u32[b + (AUX >> 2) + 1] = (((v >> 11) & 1) ^ cf) << 31;
}
