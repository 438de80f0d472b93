// Just enough of ELF-64 for the tests of guest/bin, independent of src/symbols: two readers that agree prove more than one.

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: bigint;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly isFunction: boolean;
}

export interface Elf {
  readonly bytes: Buffer;
  readonly entry: number;
  readonly segments: readonly { type: number; offset: number; vaddr: number; paddr: number; filesz: number; memsz: number }[];
  readonly sections: readonly Section[];
  readonly symbols: readonly ElfSymbol[];
}

const u64 = (b: Buffer, at: number): number => Number(b.readBigUInt64LE(at));
const text = (b: Buffer, at: number): string => b.toString('latin1', at, b.indexOf(0, at));

export function readElf(bytes: Buffer): Elf {
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes.readUInt16LE(18) !== 62) throw new Error('not an x86-64 ELF-64 file');
  const segments = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => {
    const at = u64(bytes, 32) + i * 56;
    return {
      type: bytes.readUInt32LE(at),
      offset: u64(bytes, at + 8),
      vaddr: u64(bytes, at + 16),
      paddr: u64(bytes, at + 24),
      filesz: u64(bytes, at + 32),
      memsz: u64(bytes, at + 40),
    };
  });
  const header = (i: number) => u64(bytes, 40) + i * 64;
  const names = u64(bytes, header(bytes.readUInt16LE(62)) + 24);
  const sections = Array.from({ length: bytes.readUInt16LE(60) }, (_, i) => {
    const at = header(i);
    return {
      name: text(bytes, names + bytes.readUInt32LE(at)),
      type: bytes.readUInt32LE(at + 4),
      flags: bytes.readBigUInt64LE(at + 8),
      address: u64(bytes, at + 16),
      offset: u64(bytes, at + 24),
      size: u64(bytes, at + 32),
    };
  });
  const symtab = sections.find((s) => s.name === '.symtab');
  const strtab = sections.find((s) => s.name === '.strtab');
  if (!symtab || !strtab) throw new Error('no symbol table');
  const symbols = Array.from({ length: symtab.size / 24 }, (_, i) => {
    const at = symtab.offset + i * 24;
    return {
      name: text(bytes, strtab.offset + bytes.readUInt32LE(at)),
      address: u64(bytes, at + 8),
      size: u64(bytes, at + 16),
      isFunction: ((bytes[at + 4] ?? 0) & 15) === 2,
    };
  });
  return { bytes, entry: u64(bytes, 24), segments, sections, symbols };
}

export function bytesAt(elf: Elf, address: number, size: number): Buffer {
  const segment = elf.segments.find((s) => address >= s.vaddr && address + size <= s.vaddr + s.filesz);
  if (!segment) throw new Error(`0x${address.toString(16)} is not in the file`);
  const at = segment.offset + address - segment.vaddr;
  return elf.bytes.subarray(at, at + size);
}
