import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError } from '../errors.ts';
import { StringTable } from '../string-table.ts';
import type { RawSymbol } from '../symbol-file.ts';
import type { PeHeader } from './header.ts';
import type { PeSection } from './sections.ts';

const ENTRY_SIZE = 18;
const CLASS_EXTERNAL = 2;
const CLASS_STATIC = 3;
const CLASS_LABEL = 6;
const TYPE_FUNCTION = 0x20;
const SECTION_ABSOLUTE = 0xffff;

const decoder = new TextDecoder();

/** The string table follows the symbol table and begins with its own size (Microsoft PE Format, "COFF String Table"). */
export function readCoffStrings(bytes: Uint8Array, header: PeHeader): StringTable | undefined {
  if (header.symbolTableOffset === 0) return undefined;
  const start = header.symbolTableOffset + header.symbolCount * ENTRY_SIZE;
  if (start + 4 > bytes.length) {
    throw new SymbolFileError(
      `${header.symbolCount} symbols do not fit the file's 0x${bytes.length.toString(16)} bytes`,
      'COFF symbol table',
      header.symbolTableOffset,
    );
  }
  const reader = new ByteReader(bytes, 'COFF string table');
  reader.seek(start);
  const size = reader.u32();
  if (start + size > bytes.length) reader.fail(`its ${size} bytes do not fit the file`, start);
  return new StringTable(bytes.subarray(start, start + size), 'COFF string table');
}

/** The defined symbols (Microsoft PE Format, "COFF Symbol Table"). */
export function readCoffSymbols(bytes: Uint8Array, header: PeHeader, sections: readonly PeSection[], strings: StringTable): RawSymbol[] {
  const reader = new ByteReader(bytes, 'COFF symbol table');
  const symbols: RawSymbol[] = [];
  for (let i = 0; i < header.symbolCount; i++) {
    reader.seek(header.symbolTableOffset + i * ENTRY_SIZE);
    const nameAt = reader.take(8);
    const value = reader.u32();
    const sectionNumber = reader.u16();
    const type = reader.u16();
    const storage = reader.u8();
    i += reader.u8();
    if (storage !== CLASS_EXTERNAL && storage !== CLASS_STATIC && storage !== CLASS_LABEL) continue;
    const section = sections[sectionNumber - 1];
    if (section === undefined && sectionNumber !== SECTION_ABSOLUTE) continue;
    const name = symbolName(bytes, nameAt, strings);
    // A static symbol with the section's name stands for the section.
    if (storage === CLASS_STATIC && type === 0 && value === 0 && name === section?.name) continue;
    symbols.push({
      name,
      address: section === undefined ? BigInt(value) : header.imageBase + BigInt(section.rva + value),
      size: 0,
      kind: type === TYPE_FUNCTION ? 'function' : 'label',
      global: storage === CLASS_EXTERNAL,
      section: section?.index,
    });
  }
  return symbols;
}

function symbolName(bytes: Uint8Array, at: number, strings: StringTable): string {
  const field = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  if (field.getUint32(0, true) === 0) return strings.at(field.getUint32(4, true));
  const nul = bytes.subarray(at, at + 8).indexOf(0);
  return decoder.decode(bytes.subarray(at, at + (nul < 0 ? 8 : nul)));
}
