import type { Probe } from '../probe.ts';
import type { Cpu } from './cpu.ts';
import { Decoder } from './isa/decoder.ts';
import { peekTranslate } from './mmu/walk.ts';
import { effectiveAddress } from './system/operands.ts';
import { modeOf, ripOf } from './block-finder.ts';
import * as L from './layout.ts';

const decoder = new Decoder();

/** Tells a probe where the near call, return or jump at a linear address is about to go. Reads nothing but RAM. */
export function reportTransfer(cpu: Cpu, linear: bigint, probe: Probe): void {
  const bytes = peekBytes(cpu, linear, 15);
  if (decoder.decode(bytes, 0, bytes.length, modeOf(cpu)) !== undefined) return;
  const { name } = decoder.row;
  const kind = name === 'call' || name === 'call_rm' ? 'call' : name === 'ret' ? 'return' : name === 'jmp' || name === 'jmp_rm' ? 'jump' : undefined;
  if (kind === undefined) return;
  const base = cpu.code64 ? 0n : cpu.segments[L.CS]!.base;
  let target: bigint | undefined;
  if (name === 'call' || name === 'jmp') target = linear + BigInt(decoder.length + decoder.immLow);
  else if (name === 'ret') {
    const sp = cpu.code64 ? cpu.rsp : cpu.segments[L.SS]!.base + (cpu.rsp & (cpu.segments[L.SS]!.big ? 0xffff_ffffn : 0xffffn));
    target = peekValue(cpu, sp, decoder.opsize / 8);
    if (target !== undefined) target += base;
  } else {
    const insn = decoder.toInsn();
    const nextRip = cpu.nextRip;
    cpu.nextRip = ripOf(cpu, linear) + BigInt(insn.length);
    if (!insn.isMemory) target = cpu.readGpr(insn.rm, insn.opsize);
    else target = peekValue(cpu, effectiveAddress(cpu, insn) + segmentBase(cpu, insn.segment), insn.opsize / 8);
    cpu.nextRip = nextRip;
    if (target !== undefined) target += base;
  }
  if (target !== undefined) probe.branch?.(cpu, kind, linear, target);
}

const segmentBase = (cpu: Cpu, segment: number): bigint => (cpu.code64 && segment < 4 ? 0n : cpu.segments[segment]!.base);

function peekBytes(cpu: Cpu, linear: bigint, length: number): Uint8Array {
  const out: number[] = [];
  for (let n = 0; n < length; n++) {
    const physical = peekTranslate(cpu, linear + BigInt(n));
    const byte = physical === undefined ? undefined : cpu.machine.memory.peek(physical, 1);
    if (!byte) break;
    out.push(byte[0]!);
  }
  return Uint8Array.from(out);
}

function peekValue(cpu: Cpu, linear: bigint, size: number): bigint | undefined {
  const bytes = peekBytes(cpu, linear, size);
  if (bytes.length < size) return undefined;
  return bytes.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
}
