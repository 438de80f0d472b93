import { addElf64Symbols } from './elf/add-symbols.ts';
import { SHN_LORESERVE } from './elf/constants.ts';
import { openElf, readElfTables } from './elf/elf-file.ts';
import { elf32ToElf64View } from './elf/elf64-view.ts';
import { isElf } from './elf/header.ts';
import { trimElf64 } from './elf/trim-elf64.ts';
import type { LinkRange } from './link-range.ts';
import { vmxInstructionSymbols } from './vmx-instructions.ts';

/**
 * The bytes to hand to gdb for a file: an ELF32 file with 64-bit code as ELF64, and every VMX instruction as a symbol, so that `break vmlaunch`
 * works. PE files and 32-bit code go out as they are.
 */
export function gdbView(bytes: Uint8Array): Uint8Array {
  if (!isElf(bytes)) return bytes;
  const { format, codeBits } = openElf(bytes, { name: 'ELF file' });
  if (codeBits === 32) return bytes;
  return withVmxSymbols(format === 'elf32' ? elf32ToElf64View(bytes) : bytes);
}

/** The view of a file of which only a range of link addresses is in memory, made from the view of the whole file. */
export function partialGdbView(view: Uint8Array, range: LinkRange): Uint8Array {
  return isElf(view) && readElfTables(view).header.bits === 64 ? trimElf64(view, range) : view;
}

/**
 * An ELF64 file with symbols named after their mnemonics at its VMX instructions; without any it comes back as it is.
 *
 * The new symbols must be found by name but must not hide the function they are in: `x/i $pc` and a frame without debug information shall go on
 * to say `asm_vmlaunch+5`. gdb prefers a symbol with a size that holds the address to one without (lookup_minimal_symbol_by_pc_section), so the
 * new ones have size 0, and an assembly function around one that has no size is given its extent.
 */
export function withVmxSymbols(elf64: Uint8Array): Uint8Array {
  const tables = readElfTables(elf64);
  if (tables.header.bits !== 64) return elf64;
  const file = openElf(elf64, { name: 'ELF file' });
  const added = vmxInstructionSymbols(file).filter((symbol) => symbol.section < SHN_LORESERVE);
  if (added.length === 0) return elf64;
  const extents = new Map<bigint, number>();
  for (const { address } of added) {
    const around = file.symbolAt(address);
    if (around !== undefined) extents.set(around.address, around.size);
  }
  return addElf64Symbols(elf64, tables, added, extents);
}
