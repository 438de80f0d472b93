/** Numbers of the System V ABI (gABI 4.1 chapters 4 and 5) that the readers use. */

export const ET_REL = 1;
export const EM_386 = 3;
export const EM_X86_64 = 62;
export const PN_XNUM = 0xffff;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const SHN_ABS = 0xfff1;
export const SHN_XINDEX = 0xffff;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_HASH = 5;
export const SHT_DYNAMIC = 6;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHT_DYNSYM = 11;
export const SHT_SYMTAB_SHNDX = 18;
export const SHT_LOOS = 0x6000_0000;

export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHF_COMPRESSED = 0x800;

export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_NOTE = 4;
export const PT_GNU_PROPERTY = 0x6474e553;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;
export const STT_TLS = 6;
export const STT_GNU_IFUNC = 10;

/** x86-64 psABI table 4.10 and i386 psABI table 2.11: the dynamic relocations a loader applies, with the width they change. */
export const RELOCATION_WIDTH: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  [EM_X86_64]: { 1: 8, 6: 8, 7: 8, 8: 8, 10: 4, 11: 4, 37: 8 },
  [EM_386]: { 1: 4, 6: 4, 7: 4, 8: 4, 42: 4 },
};
