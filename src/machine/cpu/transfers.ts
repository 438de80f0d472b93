import type { Probe } from '../probe.ts';
import { RAM } from '../memory/layout.ts';
import type { Cpu } from './cpu.ts';
import { Decoder } from './isa/decoder.ts';
import { lookupData } from './mmu/tlb.ts';
import { peekTranslate } from './mmu/walk.ts';
import { effectiveAddress } from './system/operands.ts';
import { modeOf, ripOf } from './block-finder.ts';
import * as L from './layout.ts';

/**
 * What the mark before a near transfer says about it, so that reporting one need not decode it again: in the record's A.
 * The forms without a case of their own (through memory, 16 and 32-bit code) are decoded each time.
 */
export const Transfer = { none: 0, call: 1, jump: 2, callRegister: 3, jumpRegister: 4, return: 5, decode: 6 } as const;

/** Bit of A in a mark: a breakpoint may stand here too. */
export const MARK_BREAKPOINT = 0x80;

/** And one: a near branch without a BND prefix, which may have to initialize the bound registers. */
export const MARK_LEGACY_BRANCH = 0x40;

/** Near CALL, RET and JMP but for the short JMP, and all Jcc, without F2: SDM Vol. 1, table 17-4. */
export function isLegacyBranch(d: Decoder): boolean {
  const { row, opcode } = d;
  if (!row.branch || d.rep === 0xf2) return false;
  if (row.name === 'jmp') return opcode !== 0xeb;
  return row.map === 1 ? (opcode & 0xf0) === 0x80 : (opcode & 0xf0) === 0x70 || /^(call|ret$|jmp_rm)/.test(row.name);
}

/** The transfer that the instruction just decoded is. */
export function transferOf(d: Decoder): number {
  const { name } = d.row;
  const flat = d.mode === 64 && d.opsize === 64;
  if (name === 'call' || name === 'jmp') return d.mode === 64 ? (name === 'call' ? Transfer.call : Transfer.jump) : Transfer.decode;
  if (name === 'ret') return flat ? Transfer.return : Transfer.decode;
  if (name === 'call_rm' || name === 'jmp_rm') {
    return flat && !d.isMemory ? (name === 'call_rm' ? Transfer.callRegister : Transfer.jumpRegister) : Transfer.decode;
  }
  return Transfer.none;
}

/**
 * Tells a probe where the near call, return or jump at a linear address is about to go. Reads nothing but RAM.
 * `detail` is the displacement from the page of `linear`, or the number of a register, by kind.
 */
export function reportTransfer(cpu: Cpu, transfer: number, linear: bigint, detail: number, probe: Probe): void {
  switch (transfer) {
    case Transfer.call:
    case Transfer.jump:
      probe.branch!(cpu, transfer === Transfer.call ? 'call' : 'jump', linear, BigInt.asUintN(64, cpu.u64(L.SLOT_CODE_PAGE) + BigInt(detail)));
      return;
    case Transfer.callRegister:
    case Transfer.jumpRegister:
      probe.branch!(cpu, transfer === Transfer.callRegister ? 'call' : 'jump', linear, cpu.gpr(detail));
      return;
    case Transfer.return: {
      const target = topOfStack(cpu) ?? peekValue(cpu, cpu.rsp, 8);
      if (target !== undefined) probe.branch!(cpu, 'return', linear, target);
      return;
    }
    default:
      reportDecoded(cpu, linear, probe);
  }
}

/** The 8 bytes at RSP in 64-bit mode, when the TLB knows their page: what the RET will pop. */
function topOfStack(cpu: Cpu): bigint | undefined {
  const low = cpu.gpr32(4);
  if ((low & 0xfff) > 0xff8) return undefined;
  const page = lookupData(cpu, cpu.u32(L.TLB), cpu.m.u32[(cpu.block >> 2) + 9]!, low, false);
  return page < 0 ? undefined : cpu.m.view.getBigUint64(RAM + page * 4096 + (low & 0xfff), true);
}

const decoder = new Decoder();

function reportDecoded(cpu: Cpu, linear: bigint, probe: Probe): void {
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
  if (target !== undefined) probe.branch!(cpu, kind, linear, target);
}

const segmentBase = (cpu: Cpu, segment: number): bigint => (cpu.code64 && segment < 4 ? 0n : cpu.segments[segment]!.base);

/** Up to `length` bytes of RAM at a linear address: fewer where the next page is not mapped. */
function peekBytes(cpu: Cpu, linear: bigint, length: number): Uint8Array {
  const { memory } = cpu.machine;
  const first = Math.min(length, 4096 - Number(linear & 0xfffn));
  const physical = peekTranslate(cpu, linear);
  const head = physical === undefined ? undefined : memory.peek(physical, first);
  if (head === undefined) return new Uint8Array(0);
  if (first === length) return head;
  const next = peekTranslate(cpu, linear + BigInt(first));
  const tail = next === undefined ? undefined : memory.peek(next, length - first);
  return tail === undefined ? head : Uint8Array.of(...head, ...tail);
}

function peekValue(cpu: Cpu, linear: bigint, size: number): bigint | undefined {
  const bytes = peekBytes(cpu, linear, size);
  if (bytes.length < size) return undefined;
  return bytes.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n);
}
