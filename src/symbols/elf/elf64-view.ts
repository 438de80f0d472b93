import { SymbolFileError } from '../errors.ts';
import * as elf from './constants.ts';
import { readElfTables } from './elf-file.ts';
import { encodeSymbols64, writeElf64 } from './elf64-writer.ts';
import { ELF_SIZES } from './header.ts';
import type { ElfSection } from './sections.ts';
import { readSymbolEntries } from './symbols.ts';

/**
 * Shows an ELF32 file that holds 64-bit code as the ELF64/x86-64 file it should have been, so that plain gdb reads its symbols, lines and
 * code. The sections keep index, name, address and bytes; symbol tables are widened. Tables whose layout differs between the classes and that
 * a debugger does not need (dynamic section, relocations, notes) lose their type: relocations become null, the rest plain bytes.
 */
export function elf32ToElf64View(bytes: Uint8Array): Uint8Array {
  const { header, sections, segments } = readElfTables(bytes);
  if (header.bits !== 32) throw new SymbolFileError('the file is not ELF32', 'ELF header', 4);
  const replaced = new Map<number, Uint8Array>();
  const widened = sections.map((section): ElfSection => {
    const { type } = section;
    if (type === elf.SHT_SYMTAB || type === elf.SHT_DYNSYM) {
      replaced.set(section.index, encodeSymbols64(readSymbolEntries(bytes, section, 32)));
      // The wider table lies at no address; .dynsym did.
      return { ...section, flags: section.flags & ~elf.SHF_ALLOC, address: 0n, align: 8, entrySize: ELF_SIZES[64].symbol };
    }
    if (type === elf.SHT_REL || type === elf.SHT_RELA) return { ...section, type: elf.SHT_NULL };
    if (type === elf.SHT_NOTE || type === elf.SHT_DYNAMIC || type === elf.SHT_HASH || type >= elf.SHT_LOOS) {
      return { ...section, type: elf.SHT_PROGBITS, link: 0, info: 0, entrySize: 0 };
    }
    return section;
  });
  const dropped = new Set([elf.PT_DYNAMIC, elf.PT_NOTE, elf.PT_GNU_PROPERTY]);
  return writeElf64({
    header: { ...header, machine: elf.EM_X86_64, flags: 0 },
    body: bytes,
    segments: segments.map((segment) => (dropped.has(segment.type) ? { ...segment, type: elf.PT_NULL } : segment)),
    sections: widened,
    replaced,
  });
}
