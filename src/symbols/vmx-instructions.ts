import { iced } from '../text/iced.ts';
import type { Section, SymbolFile } from './symbol-file.ts';

/** One VMX instruction in the code of a file. */
export interface VmxInstructionSymbol {
  /** The SDM's mnemonic in lower case: a name to set a breakpoint on. */
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  /** Index of its section. */
  readonly section: number;
}

/** SDM Vol. 3 chapter 31, "VMX Instruction Reference". Their names are iced's mnemonics in lower case. */
const NAMES: ReadonlySet<string> = new Set(['invept', 'invvpid', 'vmcall', 'vmclear', 'vmfunc', 'vmlaunch', 'vmptrld', 'vmptrst', 'vmread', 'vmresume', 'vmwrite', 'vmxoff', 'vmxon']); // prettier-ignore

/**
 * Finds every VMX instruction of a file. The bytes 0F 01 C2 may also stand inside another instruction or in data, so code is disassembled in
 * order, from one symbol to the next: each symbol is known to start an instruction. Data between functions is left out where its symbol says
 * that it is data.
 */
export function vmxInstructionSymbols(file: SymbolFile): VmxInstructionSymbol[] {
  const addresses = [...file.symbols().values()].flat().sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return file.sections.filter((section) => section.executable && section.bytes.length > 0).flatMap((section) => inSection(file, section, addresses));
}

function inSection(file: SymbolFile, section: Section, addresses: readonly bigint[]): VmxInstructionSymbol[] {
  const { bytes, address } = section;
  const inside = addresses.slice(lowerBound(addresses, address), lowerBound(addresses, address + BigInt(bytes.length)));
  const starts = [...new Set([0, ...inside.map((symbol) => Number(symbol - address))])];
  const found: VmxInstructionSymbol[] = [];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? bytes.length;
    if (!mayHoldVmx(bytes, start, end)) continue;
    if (file.symbolAt(address + BigInt(start))?.kind === 'object') continue;
    for (const one of disassemble(bytes.subarray(start, end), file.codeBits)) {
      found.push({ name: one.name, address: address + BigInt(start + one.offset), size: one.size, section: section.index });
    }
  }
  return found;
}

/** Index of the first address that is not below `limit`. */
function lowerBound(sorted: readonly bigint[], limit: bigint): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** All of them are 0F followed by 01, 78, 79, C7 or 38 80/81: stretches without need no disassembly, which is nearly all code. */
function mayHoldVmx(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = bytes.indexOf(0x0f, start); i >= 0 && i < end; i = bytes.indexOf(0x0f, i + 1)) {
    const second = bytes[i + 1];
    if (second === 0x01 || second === 0x78 || second === 0x79 || second === 0xc7 || second === 0x38) return true;
  }
  return false;
}

function disassemble(code: Uint8Array, bits: 32 | 64): { name: string; offset: number; size: number }[] {
  const found: { name: string; offset: number; size: number }[] = [];
  const { Code, Decoder, DecoderOptions, Instruction, Mnemonic } = iced();
  const decoder = new Decoder(bits, code, DecoderOptions.None);
  const instruction = new Instruction();
  try {
    while (decoder.canDecode) {
      const offset = decoder.position;
      decoder.decodeOut(instruction);
      const name = Mnemonic[instruction.mnemonic]?.toLowerCase() ?? '';
      if (instruction.code === Code.INVALID) decoder.position = offset + 1;
      else if (NAMES.has(name)) found.push({ name, offset, size: instruction.length });
    }
  } finally {
    // Both live in the memory of iced's WebAssembly instance.
    instruction.free();
    decoder.free();
  }
  return found;
}
