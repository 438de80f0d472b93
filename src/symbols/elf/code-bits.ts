import { ByteReader } from '../byte-reader.ts';
import { tryRead } from '../errors.ts';
import { EM_X86_64, SHF_EXECINSTR } from './constants.ts';
import type { ElfHeader } from './header.ts';
import { contentsOf } from './sections.ts';
import type { ElfSection } from './sections.ts';

/**
 * Which code an ELF file really holds. BitVisor's bitvisor.elf says ELF32 and i386, so that multiboot loaders accept it, and holds 64-bit
 * code. Two witnesses, the first that speaks decides:
 *  1. the address size in the header of its first DWARF unit (DWARF 5 section 7.5.1);
 *  2. REX.W before MOV, LEA or a stack adjustment (48/4C followed by 89, 8B, 8D, 83 or 81). That pair is in every 64-bit function; in 32-bit
 *     code 48 and 4C are DEC EAX and DEC ESP, which a compiler hardly ever puts before these. One pair per 64 bytes is the dividing line.
 */
export function elfCodeBits(bytes: Uint8Array, header: ElfHeader, sections: readonly ElfSection[]): 32 | 64 {
  if (header.bits === 64 || header.machine === EM_X86_64) return 64;
  const info = sections.find((section) => section.name === '.debug_info');
  const addressSize = info && tryRead(() => firstAddressSize(contentsOf(bytes, info)));
  if (addressSize === 8) return 64;
  if (addressSize === 4) return 32;
  let pairs = 0;
  let size = 0;
  for (const section of sections) {
    if (!(section.flags & SHF_EXECINSTR)) continue;
    const code = contentsOf(bytes, section);
    size += code.length;
    pairs += countRexPairs(code);
  }
  return size > 0 && pairs * 64 >= size ? 64 : 32;
}

function firstAddressSize(info: Uint8Array): number {
  const reader = new ByteReader(info, '.debug_info');
  const offsetSize = reader.u32() === 0xffffffff ? 8 : 4;
  if (offsetSize === 8) reader.skip(8);
  const version = reader.u16();
  if (version >= 5) reader.skip(1);
  else reader.skip(offsetSize);
  return reader.u8();
}

const AFTER_REX = new Set([0x81, 0x83, 0x89, 0x8b, 0x8d]);

function countRexPairs(code: Uint8Array): number {
  let pairs = 0;
  for (let i = 1; i < code.length; i++) if ((code[i - 1]! & 0xfb) === 0x48 && AFTER_REX.has(code[i]!)) pairs++;
  return pairs;
}
