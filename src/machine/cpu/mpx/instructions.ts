/**
 * Memory Protection Extensions: SDM Vol. 1, 17.4 and Vol. 2, BNDCL to BNDSTX. In 64-bit mode bounds and addresses have 64 bits, elsewhere
 * 32, whatever prefixes say; 16-bit addressing is #UD.
 */
import type { Cpu } from '../cpu.ts';
import { GuestFault, ud, Vector } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { checkAlignment, readBytes, readLinear, writeBytes } from '../mmu/access.ts';
import { effectiveAddress, linearOf, mask } from '../system/operands.ts';
import { BOUND_REGISTERS, configSlot, lowerBound, mpxEnabled, setBounds, upperBound } from './state.ts';

/** BNDSTATUS's error codes: 17.3.3, table 17-2. */
const VIOLATION = 1n;
const INVALID_DIRECTORY_ENTRY = 2n;

const bitsOf = (cpu: Cpu): 32 | 64 => (cpu.code64 ? 64 : 32);
const RIP = 16;

type Operation = (cpu: Cpu, insn: Insn, bits: 32 | 64) => void;

/** A NOP while MPX is not enabled; then there are four bound registers, and no 16-bit addresses. */
const whenEnabled =
  (operation: Operation): ((cpu: Cpu, insn: Insn) => void) =>
  (cpu, insn) => {
    if (!mpxEnabled(cpu)) return;
    if (insn.reg >= BOUND_REGISTERS || (insn.isMemory && insn.addrsize === 16)) throw ud();
    operation(cpu, insn, bitsOf(cpu));
  };

function boundRange(cpu: Cpu, status: bigint): GuestFault {
  cpu.setU64(L.BNDSTATUS, status);
  return new GuestFault(Vector.BR);
}

/** BNDCL, BNDCU, BNDCN compare an address, which of a memory operand is its effective address: nothing is accessed. */
const check = (allows: (address: bigint, cpu: Cpu, n: number, bits: 32 | 64) => boolean): Operation => {
  return (cpu, insn, bits) => {
    const address = insn.isMemory ? effectiveAddress(cpu, insn, bits) : cpu.readGpr(insn.rm, bits);
    if (!allows(address, cpu, insn.reg, bits)) throw boundRange(cpu, VIOLATION);
  };
};

const make: Operation = (cpu, insn, bits) => {
  if (insn.base === RIP) throw ud();
  const lower = insn.base < 0 ? 0n : cpu.readGpr(insn.base, bits);
  setBounds(cpu, insn.reg, lower, mask(~effectiveAddress(cpu, insn, bits), bits));
};

/** Two values of `bits`, one after the other. */
function readPair(view: DataView, bits: 32 | 64): readonly [lower: bigint, upper: bigint] {
  if (bits === 64) return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  return [BigInt(view.getUint32(0, true)), BigInt(view.getUint32(4, true))];
}

function words(values: readonly bigint[], bits: 32 | 64): Uint8Array {
  const size = bits / 8;
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (const [n, value] of values.entries()) {
    if (bits === 64) view.setBigUint64(n * size, value, true);
    else view.setUint32(n * size, Number(mask(value, 32)), true);
  }
  return bytes;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The memory operand of BNDMOV: two values. */
function pairAddress(cpu: Cpu, insn: Insn, bits: 32 | 64, write: boolean): bigint {
  const linear = linearOf(cpu, insn.segment, effectiveAddress(cpu, insn, bits), bits / 4, write);
  checkAlignment(cpu, linear, bits === 64 ? 8 : 4);
  return linear;
}

const move = (store: boolean): Operation => {
  return (cpu, insn, bits) => {
    if (!insn.isMemory) {
      if (insn.rm >= BOUND_REGISTERS) throw ud();
      const [from, to] = store ? [insn.reg, insn.rm] : [insn.rm, insn.reg];
      setBounds(cpu, to, mask(lowerBound(cpu, from), bits), mask(upperBound(cpu, from), bits));
    } else if (store) {
      writeBytes(cpu, pairAddress(cpu, insn, bits, true), words([lowerBound(cpu, insn.reg), upperBound(cpu, insn.reg)], bits));
    } else {
      const [lower, upper] = readPair(viewOf(readBytes(cpu, pairAddress(cpu, insn, bits, false), bits / 4)), bits);
      setBounds(cpu, insn.reg, lower, upper);
    }
  };
};

/** The linear address of the pointer, which nothing accesses: without a base register it is 0, whatever the displacement. */
function pointerAddress(cpu: Cpu, insn: Insn, bits: 32 | 64): bigint {
  const offset = insn.base < 0 ? 0n : mask(cpu.gpr(insn.base) + insn.disp, bits);
  const flat = bits === 64 && insn.segment !== L.FS && insn.segment !== L.GS;
  return mask(offset + (flat ? 0n : cpu.segments[insn.segment]!.base), bits);
}

/** Linear address of the bound-table entry, through the bound directory: 17.4.3. */
function tableEntry(cpu: Cpu, insn: Insn, bits: 32 | 64): bigint {
  if (insn.base === RIP) throw ud();
  const pointer = pointerAddress(cpu, insn, bits);
  const directory = cpu.u64(configSlot(cpu)) & ~0xfffn;
  const long = bits === 64;
  // 48-bit pointers: CPUID reports no MAWAU.
  const entry = mask(directory + (long ? ((pointer >> 20n) & 0xfff_ffffn) << 3n : (pointer >> 12n) << 2n), bits);
  const table = readLinear(cpu, entry, long ? 8 : 4);
  if ((table & 1n) === 0n) throw boundRange(cpu, entry | INVALID_DIRECTORY_ENTRY);
  if (long) return mask((table & ~7n) + (((pointer >> 3n) & 0x1_ffffn) << 5n), 64);
  return mask((table & ~3n) + (((pointer >> 2n) & 0x3ffn) << 4n), 32);
}

/** What the index register holds is the pointer's value; the scale does not matter. */
const pointerValue = (cpu: Cpu, insn: Insn, bits: 32 | 64): bigint => (insn.index < 0 ? 0n : cpu.readGpr(insn.index, bits));

/** Bounds of another value than the pointer has now are those of a pointer that was overwritten: all of memory. */
const loadExtended: Operation = (cpu, insn, bits) => {
  const size = bits / 8;
  const view = viewOf(readBytes(cpu, tableEntry(cpu, insn, bits), size * 3));
  const [lower, upper] = readPair(view, bits);
  const value = bits === 64 ? view.getBigUint64(16, true) : BigInt(view.getUint32(8, true));
  if (value === pointerValue(cpu, insn, bits)) setBounds(cpu, insn.reg, lower, upper);
  else setBounds(cpu, insn.reg, 0n, 0n);
};

const storeExtended: Operation = (cpu, insn, bits) => {
  const entry = tableEntry(cpu, insn, bits);
  writeBytes(cpu, entry, words([lowerBound(cpu, insn.reg), upperBound(cpu, insn.reg), pointerValue(cpu, insn, bits)], bits));
};

export const mpxInstructions: HelperTable = {
  bndmk: whenEnabled(make),
  bndcl: whenEnabled(check((address, cpu, n, bits) => address >= mask(lowerBound(cpu, n), bits))),
  bndcu: whenEnabled(check((address, cpu, n, bits) => address <= mask(~upperBound(cpu, n), bits))),
  bndcn: whenEnabled(check((address, cpu, n, bits) => address <= mask(upperBound(cpu, n), bits))),
  bndmov_load: whenEnabled(move(false)),
  bndmov_store: whenEnabled(move(true)),
  bndldx: whenEnabled(loadExtended),
  bndstx: whenEnabled(storeExtended),
};
