import { ByteReader } from '../byte-reader.ts';
import { DIRECTORY_DEBUG } from './header.ts';
import type { PeHeader } from './header.ts';
import { bytesAtRva } from './sections.ts';
import type { PeSection } from './sections.ts';

/** One debug directory entry. EDK II's images name the file with their symbols in `file`. */
export interface PeDebugEntry {
  readonly type: number;
  readonly timestamp: number;
  /** CodeView: path of the file with the debug information. */
  readonly file: string | undefined;
  /** CodeView RSDS: the GUID in hexadecimal; GNU ld stores its build id there. */
  readonly identifier: string | undefined;
}

const ENTRY_SIZE = 28;
const TYPE_CODEVIEW = 2;
const RSDS = 0x53445352;
const NB10 = 0x3031424e;

const decoder = new TextDecoder();

export function readDebugDirectory(bytes: Uint8Array, header: PeHeader, sections: readonly PeSection[]): PeDebugEntry[] {
  const directory = header.directories[DIRECTORY_DEBUG];
  if (directory === undefined || directory.size === 0) return [];
  const where = 'debug directory';
  const reader = new ByteReader(bytesAtRva(sections, directory.rva, directory.size, where), where);
  const entries: PeDebugEntry[] = [];
  while (reader.left >= ENTRY_SIZE) {
    reader.skip(4);
    const timestamp = reader.u32();
    reader.skip(4);
    const type = reader.u32();
    const size = reader.u32();
    reader.skip(4);
    const offset = reader.u32();
    const codeView = type === TYPE_CODEVIEW ? readCodeView(new ByteReader(bytes, 'CodeView entry', offset, offset + size)) : undefined;
    entries.push({ type, timestamp, file: codeView?.file, identifier: codeView?.identifier });
  }
  return entries;
}

function readCodeView(reader: ByteReader): { file: string; identifier: string | undefined } | undefined {
  const signature = reader.u32();
  if (signature === NB10) {
    reader.skip(12);
    return { file: rest(reader), identifier: undefined };
  }
  if (signature !== RSDS) return undefined;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  // A GUID: its first three fields are stored as little-endian numbers.
  const identifier = [hex(reader.u32(), 8), hex(reader.u16(), 4), hex(reader.u16(), 4), ...Array.from({ length: 8 }, () => hex(reader.u8(), 2))].join(
    '',
  );
  reader.skip(4);
  return { file: rest(reader), identifier };
}

function rest(reader: ByteReader): string {
  const bytes = reader.bytes.subarray(reader.pos, reader.end);
  const nul = bytes.indexOf(0);
  return decoder.decode(nul < 0 ? bytes : bytes.subarray(0, nul));
}
