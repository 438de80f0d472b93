import { ByteReader } from '../byte-reader.ts';
import type { SourceLine } from '../symbol-file.ts';
import * as dw from './constants.ts';
import { FormReader } from './forms.ts';
import type { UnitFormat } from './forms.ts';
import { joinPath, relativeTo } from './paths.ts';
import { readInitialLength } from './unit.ts';
import type { Unit } from './unit.ts';

interface NameEntry {
  readonly path: string;
  readonly directory: number;
}

/** The header of a line number program (DWARF 5 section 6.2.4): how to run it, and the file names it refers to. */
export class LineHeader {
  readonly version: number;
  readonly addressSize: number;
  readonly minimumInstructionLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly operandCounts: readonly number[];
  readonly programStart: number;
  readonly programEnd: number;
  readonly #compilationDirectory: string;
  readonly #directories: readonly NameEntry[];
  readonly #files: readonly NameEntry[];
  readonly #paths = new Map<number, string>();

  constructor(unit: Unit, offset: number) {
    const { context } = unit;
    const reader = new ByteReader(context.section.line, '.debug_line');
    reader.seek(offset);
    const { length, offsetSize } = readInitialLength(reader);
    this.programEnd = reader.pos + length;
    if (this.programEnd > reader.end) reader.fail(`line table of ${length} bytes does not end inside its section`, offset);
    reader.end = this.programEnd;
    this.version = reader.u16();
    if (this.version < 2 || this.version > 5) reader.fail(`line table version ${this.version} is not 2 to 5`, offset);
    this.addressSize = unit.addressSize;
    if (this.version >= 5) {
      this.addressSize = reader.u8();
      reader.skip(1);
    }
    const headerLength = reader.sized(offsetSize);
    this.programStart = reader.pos + headerLength;
    if (this.programStart > reader.end) reader.fail(`line table header of ${headerLength} bytes is longer than its table`, offset);
    this.minimumInstructionLength = reader.u8();
    if (this.version >= 4) reader.skip(1);
    this.defaultIsStatement = reader.u8() !== 0;
    const lineBase = reader.u8();
    this.lineBase = lineBase >= 128 ? lineBase - 256 : lineBase;
    this.lineRange = reader.u8();
    if (this.lineRange === 0) reader.fail('line_range is 0', offset);
    this.opcodeBase = reader.u8();
    this.operandCounts = Array.from({ length: Math.max(this.opcodeBase - 1, 0) }, () => reader.u8());
    this.#compilationDirectory = unit.compilationDirectory;
    reader.end = this.programStart;
    if (this.version >= 5) {
      const format: UnitFormat = { version: 5, offsetSize, addressSize: this.addressSize };
      this.#directories = readEntries(reader, unit, format);
      this.#files = readEntries(reader, unit, format);
    } else {
      const directories: NameEntry[] = [{ path: unit.compilationDirectory, directory: 0 }];
      for (let path = inlineString(reader); path !== ''; path = inlineString(reader)) directories.push({ path, directory: 0 });
      const files: NameEntry[] = [{ path: unit.name, directory: 0 }];
      for (let path = inlineString(reader); path !== ''; path = inlineString(reader)) {
        files.push({ path, directory: reader.uleb() });
        reader.uleb();
        reader.uleb();
      }
      this.#directories = directories;
      this.#files = files;
    }
    context.budget.spend(reader.pos - offset, '.debug_line');
  }

  get fileCount(): number {
    return this.#files.length;
  }

  path(file: number): string {
    let path = this.#paths.get(file);
    if (path === undefined) {
      const entry = this.#files[file];
      const directory = entry && (this.#directories[entry.directory]?.path ?? '');
      path = entry === undefined ? '' : joinPath(this.#compilationDirectory, directory!, entry.path);
      this.#paths.set(file, path);
    }
    return path;
  }

  sourceLine(file: number, line: number): SourceLine {
    const path = this.path(file);
    return { file: path, shortFile: relativeTo(this.#compilationDirectory, path), line };
  }
}

const decoder = new TextDecoder();

function inlineString(reader: ByteReader): string {
  const at = reader.skipString();
  return decoder.decode(reader.bytes.subarray(at, reader.pos - 1));
}

/** A table whose columns the header describes (DWARF 5 section 6.2.4.1). */
function readEntries(reader: ByteReader, unit: Unit, format: UnitFormat): NameEntry[] {
  const columns = Array.from({ length: reader.u8() }, () => ({ content: reader.uleb(), form: reader.uleb() }));
  const count = reader.uleb();
  if (count > reader.left) reader.fail(`${count} file names or directories cannot fit in ${reader.left} bytes`);
  const form = new FormReader();
  const entries: NameEntry[] = [];
  for (let i = 0; i < count; i++) {
    let path = '';
    let directory = 0;
    for (const column of columns) {
      form.read(reader, column.form, 0, format, unit.context.base);
      if (column.content === dw.DW_LNCT_directory_index) directory = form.value;
      else if (column.content === dw.DW_LNCT_path) {
        if (form.form === dw.DW_FORM_string) {
          reader.seek(form.value);
          path = inlineString(reader);
        } else path = unit.stringOf(form) ?? '';
      }
    }
    entries.push({ path, directory });
  }
  return entries;
}
