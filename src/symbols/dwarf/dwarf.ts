import { ByteReader } from '../byte-reader.ts';
import { SymbolFileError, tryRead } from '../errors.ts';
import { IntervalIndex } from '../interval-index.ts';
import type { InlineFrame, SourceLine } from '../symbol-file.ts';
import { readAddressRanges } from './address-ranges.ts';
import { AbbreviationTable } from './abbreviations.ts';
import * as dw from './constants.ts';
import type { UnitFormat } from './forms.ts';
import { readFunctions } from './functions.ts';
import type { FunctionNode } from './functions.ts';
import { LineHeader } from './line-header.ts';
import { LineTable } from './line-table.ts';
import { NameResolver } from './names.ts';
import { pathMatches } from './paths.ts';
import type { DwarfContext } from './sections.ts';
import { readUnitHeader, Unit } from './unit.ts';

interface UnitFunctions {
  readonly all: readonly FunctionNode[];
  readonly byAddress: IntervalIndex<FunctionNode>;
}

/**
 * Questions to a file's debug information. Opening it costs nothing; the first question reads the header and first entry of every unit, and
 * each unit is decoded when an address falls into it. Damage is reported to `onProblem` and costs only the unit it is in.
 */
export class Dwarf {
  readonly #context: DwarfContext;
  readonly #onProblem: (problem: SymbolFileError) => void;
  readonly #abbreviations = new Map<string, AbbreviationTable>();
  readonly #lineTables = new Map<number, LineTable | undefined>();
  readonly #functions = new Map<Unit, UnitFunctions>();
  readonly #names = new NameResolver((offset) => this.#unitHolding(offset));
  #addressRanges: ReadonlyMap<number, readonly number[]> | undefined;
  #units: readonly Unit[] | undefined;
  #unitsByAddress: IntervalIndex<Unit> | undefined;
  #entriesByName: ReadonlyMap<string, ReadonlySet<number>> | undefined;

  constructor(context: DwarfContext, onProblem: (problem: SymbolFileError) => void) {
    this.#context = context;
    this.#onProblem = onProblem;
  }

  lineAt(address: number): SourceLine | undefined {
    for (const unit of this.#unitsAt(address)) {
      const line = this.#attempt(() => lineIn(this.#lineTable(unit), address));
      if (line !== undefined) return line;
    }
    return undefined;
  }

  /** Innermost first; empty where no function with debug information is. */
  chainAt(address: number): InlineFrame[] {
    for (const unit of this.#unitsAt(address)) {
      const nodes = this.#nodesAt(unit, address);
      if (nodes.length === 0) continue;
      const frames = this.#attempt(() => {
        const table = this.#lineTable(unit);
        let line = lineIn(table, address);
        return nodes.map((node) => {
          const frame = { name: this.#names.namesOf(node.named).name, ...line };
          line = node.inlined && table !== undefined ? table.header.sourceLine(node.callFile, node.callLine) : undefined;
          return frame;
        });
      });
      if (frames !== undefined) return frames;
    }
    return [];
  }

  /** Entry addresses of functions and inlined copies with this name, in source or linkage spelling. */
  functionsNamed(name: string): Iterable<number> {
    this.#entriesByName ??= this.#indexNames();
    return this.#entriesByName.get(name) ?? [];
  }

  addressesOfLine(file: string, line: number): number[] {
    let best = Infinity;
    let found = new Set<number>();
    const seen = new Set<LineTable>();
    for (const unit of this.#allUnits()) {
      this.#attempt(() => {
        const table = this.#lineTable(unit);
        if (table === undefined || seen.has(table)) return;
        seen.add(table);
        const files = new Set<number>();
        for (let i = 0; i < table.header.fileCount; i++) if (pathMatches(table.header.path(i), file)) files.add(i);
        const result = files.size > 0 ? table.startsOf(files, line) : undefined;
        if (result === undefined || result.line > best) return;
        if (result.line < best) found = new Set();
        best = result.line;
        for (const { address, after } of result.starts) {
          if (after === undefined || this.#nodesAt(unit, after)[0] !== this.#nodesAt(unit, address)[0]) found.add(address);
        }
      });
    }
    return [...found].sort((a, b) => a - b);
  }

  #attempt<T>(read: () => T): T | undefined {
    const result = tryRead(read);
    if (!(result instanceof SymbolFileError)) return result;
    this.#onProblem(result);
    return undefined;
  }

  #allUnits(): readonly Unit[] {
    if (this.#units !== undefined) return this.#units;
    const units: Unit[] = [];
    const reader = new ByteReader(this.#context.section.info, '.debug_info');
    while (reader.left > 0) {
      const header = this.#attempt(() => readUnitHeader(reader));
      // Where one header is wrong, nothing says where the next unit starts.
      if (header === undefined) break;
      if (header.type !== dw.DW_UT_compile && header.type !== dw.DW_UT_partial && header.type !== dw.DW_UT_skeleton) continue;
      const unit = this.#attempt(() => new Unit(this.#context, header, (offset, format) => this.#abbreviationTable(offset, format)));
      if (unit !== undefined) units.push(unit);
    }
    return (this.#units = units);
  }

  #abbreviationTable(offset: number, format: UnitFormat): AbbreviationTable {
    const key = `${offset} ${format.addressSize} ${format.offsetSize}`;
    let table = this.#abbreviations.get(key);
    if (table === undefined) this.#abbreviations.set(key, (table = new AbbreviationTable(this.#context, offset, format)));
    return table;
  }

  #unitsAt(address: number): Iterable<Unit> {
    this.#unitsByAddress ??= new IntervalIndex(this.#allUnits().flatMap((unit) => intervals(this.#rangesOf(unit), unit)));
    return this.#unitsByAddress.findAll(address);
  }

  /** A unit that does not say where its code lies is looked up in .debug_aranges; without that its functions are read. */
  #rangesOf(unit: Unit): readonly number[] {
    if (unit.ranges.length > 0) return unit.ranges;
    this.#addressRanges ??= this.#attempt(() => readAddressRanges(this.#context)) ?? new Map<number, number[]>();
    if (this.#addressRanges.size > 0) return this.#addressRanges.get(unit.offset) ?? [];
    return this.#functionsOf(unit).all.flatMap((node) => node.ranges);
  }

  #unitHolding(offset: number): Unit | undefined {
    const units = this.#allUnits();
    let low = 0;
    let high = units.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (units[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = units[low - 1];
    return unit !== undefined && offset < unit.end ? unit : undefined;
  }

  #functionsOf(unit: Unit): UnitFunctions {
    let functions = this.#functions.get(unit);
    if (functions === undefined) {
      const all = this.#attempt(() => readFunctions(unit)) ?? [];
      functions = { all, byAddress: new IntervalIndex(all.flatMap((node) => intervals(node.ranges, node))) };
      this.#functions.set(unit, functions);
    }
    return functions;
  }

  /** The function at an address and the copies inlined into it there, innermost first. */
  #nodesAt(unit: Unit, address: number): FunctionNode[] {
    const nodes: FunctionNode[] = [];
    let node = this.#functionsOf(unit).byAddress.find(address);
    for (; node !== undefined; node = node.children.find((child) => contains(child, address))) nodes.push(node);
    return nodes.reverse();
  }

  #lineTable(unit: Unit): LineTable | undefined {
    const { lineOffset } = unit;
    if (lineOffset === undefined) return undefined;
    if (!this.#lineTables.has(lineOffset)) {
      this.#lineTables.set(lineOffset, undefined);
      this.#lineTables.set(lineOffset, new LineTable(this.#context, new LineHeader(unit, lineOffset)));
    }
    return this.#lineTables.get(lineOffset);
  }

  #indexNames(): Map<string, Set<number>> {
    const byName = new Map<string, Set<number>>();
    const add = (name: string, entry: number) => {
      const known = byName.get(name);
      if (known === undefined) byName.set(name, new Set([entry]));
      else known.add(entry);
    };
    for (const unit of this.#allUnits()) {
      const left: FunctionNode[] = [...this.#functionsOf(unit).all];
      for (let node = left.pop(); node !== undefined; node = left.pop()) {
        const { named, entry, children } = node;
        const names = this.#attempt(() => this.#names.namesOf(named));
        if (names !== undefined) {
          add(names.name, entry);
          if (names.linkageName !== undefined && names.linkageName !== names.name) add(names.linkageName, entry);
        }
        for (const child of children) left.push(child);
      }
    }
    return byName;
  }
}

function lineIn(table: LineTable | undefined, address: number): SourceLine | undefined {
  const row = table?.rowAt(address);
  // Line 0 stands for code that belongs to no line (DWARF 5 section 6.2.2).
  return table === undefined || row === undefined || row.line <= 0 ? undefined : table.header.sourceLine(row.file, row.line);
}

function contains(node: FunctionNode, address: number): boolean {
  for (let i = 0; i < node.ranges.length; i += 2) if (address >= node.ranges[i]! && address < node.ranges[i + 1]!) return true;
  return false;
}

function intervals<T>(ranges: readonly number[], value: T): { start: number; end: number; value: T }[] {
  return Array.from({ length: ranges.length / 2 }, (_, i) => ({ start: ranges[2 * i]!, end: ranges[2 * i + 1]!, value }));
}
