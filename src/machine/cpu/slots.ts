/** Addresses in 64-bit slots of the CPU block, moved in halves: a bigint would be allocated. */
import { CS_BASE } from './block-finder.ts';
import type { Cpu } from './cpu.ts';
import * as L from './layout.ts';

/** Where emitted code goes on: at RIP. */
export function setSlowAddress(cpu: Cpu): void {
  if (cpu.code64) copySlot(cpu, L.RIP, L.SLOW_ADDRESS);
  else setHalves(cpu, L.SLOW_ADDRESS, 0, cpu.u32(L.RIP) + cpu.u32(CS_BASE));
}

/** The other way round. */
export function setRipToSlowAddress(cpu: Cpu): void {
  if (cpu.code64) copySlot(cpu, L.SLOW_ADDRESS, L.RIP);
  else setHalves(cpu, L.RIP, 0, cpu.u32(L.SLOW_ADDRESS) - cpu.u32(CS_BASE));
}

/** Sets a 64-bit slot of the CPU block. */
export function setHalves(cpu: Cpu, slot: number, high: number, low: number): void {
  cpu.setU32(slot, low);
  cpu.setU32(slot + 4, high);
}

/** Copies a 64-bit slot of the CPU block without making a bigint. */
export function copySlot(cpu: Cpu, from: number, to: number): void {
  const { u32 } = cpu.m;
  const slot = cpu.block >> 2;
  u32[slot + (to >> 2)] = u32[slot + (from >> 2)]!;
  u32[slot + (to >> 2) + 1] = u32[slot + (from >> 2) + 1]!;
}
