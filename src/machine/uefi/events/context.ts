import type { Cpu } from '../../cpu/cpu.ts';
import { Flag } from '../../cpu/cpu.ts';
import * as L from '../../cpu/layout.ts';
import { CPU_BLOCK_SIZE } from '../../memory/layout.ts';
import type { FirmwareContext } from '../context.ts';
import { opaque, type Context } from '../state.ts';
import { littleEndian } from '../pack.ts';

/** Saving registers, going on with them, and calling guest code so that it returns into the continuation slot. */

export function saveContext(cpu: Cpu, rip: bigint, rsp = cpu.rsp): Context {
  const gprs = Array.from({ length: 16 }, (_, n) => opaque(cpu.gpr(n)));
  gprs[4] = opaque(rsp);
  return { gprs, rip: opaque(rip), interrupts: (cpu.sysflags & Flag.IF) !== 0 };
}

export function resumeContext(cpu: Cpu, context: Context): void {
  context.gprs.forEach((v, n) => cpu.setGpr(n, BigInt(v)));
  cpu.rip = BigInt(context.rip);
  setInterrupts(cpu, context.interrupts);
}

/** RFLAGS.IF as the task priority wants it; the core looks at pending interrupts again. */
export function setInterrupts(cpu: Cpu, on: boolean): void {
  cpu.sysflags = on ? cpu.sysflags | Flag.IF : cpu.sysflags & ~Flag.IF;
  cpu.machine.kick();
}

const VECTORS_END = 0xec0; // XMM/YMM, MXCSR and x87: cpu/layout.ts
const VECTOR_BYTES = VECTORS_END - L.VECTORS;
if (VECTORS_END > CPU_BLOCK_SIZE) throw new Error('vector state lies outside the CPU block');

/** The vector and floating-point state as hexadecimal text. */
export function saveVectors(cpu: Cpu): string {
  let text = '';
  for (const b of cpu.m.u8.subarray(cpu.block + L.VECTORS, cpu.block + VECTORS_END)) text += b.toString(16).padStart(2, '0');
  return text;
}

export function restoreVectors(cpu: Cpu, text: string): void {
  for (let n = 0; n < VECTOR_BYTES; n++) cpu.m.u8[cpu.block + L.VECTORS + n] = parseInt(text.slice(n * 2, n * 2 + 2), 16);
}

/** Below a caller's RSP: alignment, home space (32 bytes) and the return address. Services that may call guest code probe it. */
export const CALL_ROOM = 0x40;

/** Where RSP will be when a function called from stack pointer `rsp` has returned. */
const stackAfter = (rsp: bigint): bigint => (rsp - 0x28n) & ~0xfn;

export function probeCall(fw: FirmwareContext, cpu: Cpu, rsp: bigint): void {
  fw.access.probe(cpu, rsp - BigInt(CALL_ROOM), CALL_ROOM);
}

/**
 * Enters guest code by the Microsoft x64 convention. Returns RSP as it will be when the code returns into the
 * continuation slot. The stack was probed.
 */
export function enterFunction(fw: FirmwareContext, cpu: Cpu, rsp: bigint, target: bigint, args: readonly bigint[]): bigint {
  const after = stackAfter(rsp);
  fw.access.write(cpu, after - 8n, littleEndian(fw.slot('Continuation'), 8));
  args.forEach((v, n) => cpu.setGpr([1, 2, 8, 9][n]!, v));
  cpu.rsp = after - 8n;
  const from = cpu.rip;
  cpu.rip = target;
  cpu.machine.probe?.branch?.(cpu, 'call', from, target);
  return after;
}
