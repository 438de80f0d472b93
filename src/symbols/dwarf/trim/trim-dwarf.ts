import { ByteReader } from '../../byte-reader.ts';
import type { LinkBase } from '../../link-base.ts';
import type { LinkRange } from '../../link-range.ts';
import { AbbreviationTable } from '../abbreviations.ts';
import type { Abbreviation } from '../abbreviations.ts';
import * as dw from '../constants.ts';
import type { UnitFormat } from '../forms.ts';
import { readFunctions } from '../functions.ts';
import { dwarfContext } from '../sections.ts';
import type { DwarfContext } from '../sections.ts';
import { readUnitHeader, Unit } from '../unit.ts';
import type { UnitHeader } from '../unit.ts';
import { WorkBudget } from '../work-budget.ts';
import { ByteWriter, putSized } from '../../byte-writer.ts';
import { trimFrames } from './frames.ts';
import { TrimmedLines } from './lines.ts';
import { AddedRangeLists } from './range-lists.ts';
import { trimUnit } from './unit.ts';
import type { CrossReference } from './unit.ts';
import { clip } from './window.ts';
import type { Window } from './window.ts';

interface Candidate {
  readonly header: UnitHeader;
  readonly unit: Unit;
}

interface Kept extends Candidate {
  readonly references: readonly CrossReference[];
  /** Where its DW_AT_stmt_list stands. */
  readonly lineAt: number | undefined;
  readonly newRoot: Abbreviation | undefined;
}

/**
 * Debug sections that say nothing about code outside a range of link addresses; those that are not in the result stay as they are. .debug_info
 * keeps the units with code in the range, edited, and what these refer to; .debug_abbrev and .debug_line keep what those units need.
 */
export function trimDwarf(find: (name: string) => Uint8Array | undefined, base: LinkBase, range: LinkRange): Map<string, Uint8Array> {
  const context = dwarfContext(find, base, (size) => new WorkBudget(size));
  const window: Window = { low: base.toOffset(range.low), high: base.toOffset(range.high) };
  const edit = {
    info: context.section.info.slice(),
    addr: context.section.addr.slice(),
    rnglists: context.section.rnglists.slice(),
    lists: new AddedRangeLists(context),
  };
  const all = readCandidates(context);
  const kept = new Map<Candidate, Kept>();
  const queue = all.filter((candidate) => isWanted(candidate, window));
  for (let candidate = queue.pop(); candidate !== undefined; candidate = queue.pop()) {
    if (kept.has(candidate)) continue;
    const result = trimUnit(candidate.unit, candidate.header.firstEntry, window, edit);
    kept.set(candidate, { ...candidate, ...result });
    for (const { target } of result.references) {
      const other = holding(all, target);
      if (other !== undefined) queue.push(other);
    }
  }
  const inOrder = all.flatMap((candidate) => kept.get(candidate) ?? []);
  const lines = new TrimmedLines(window);
  const abbreviations = new ByteWriter();
  const sections = new Map([['.debug_info', joinUnits(inOrder, edit.info, lines, abbreviations)]]);
  sections.set('.debug_abbrev', abbreviations.result());
  sections.set('.debug_line', lines.result());
  if (context.section.addr.length > 0) sections.set('.debug_addr', edit.addr);
  const { rnglists, ranges } = edit.lists.results(edit.rnglists);
  if (rnglists !== undefined) sections.set('.debug_rnglists', rnglists);
  if (ranges !== undefined) sections.set('.debug_ranges', ranges);
  const frames = find('.debug_frame');
  if (frames !== undefined) sections.set('.debug_frame', trimFrames(frames, base, 8, window));
  return sections;
}

function readCandidates(context: DwarfContext): Candidate[] {
  const tables = new Map<string, AbbreviationTable>();
  const tableAt = (offset: number, format: UnitFormat) => {
    const key = `${offset} ${format.addressSize} ${format.offsetSize}`;
    let table = tables.get(key);
    if (table === undefined) tables.set(key, (table = new AbbreviationTable(context, offset, format)));
    return table;
  };
  const candidates: Candidate[] = [];
  const reader = new ByteReader(context.section.info, '.debug_info');
  while (reader.left > 0) {
    const header = readUnitHeader(reader);
    candidates.push({ header, unit: new Unit(context, header, tableAt) });
  }
  return candidates;
}

/** Types are kept, they have no addresses. */
function isWanted({ header, unit }: Candidate, window: Window): boolean {
  if (header.type === dw.DW_UT_type) return true;
  if (header.type === dw.DW_UT_partial) return false;
  const ranges = unit.ranges.length > 0 ? unit.ranges : readFunctions(unit).flatMap((node) => node.ranges);
  return clip(window, ranges).length > 0;
}

function holding<T extends Candidate>(all: readonly T[], offset: number): T | undefined {
  return all.find(({ header }) => offset >= header.offset && offset < header.end);
}

/** Moves the units together and sets right what counts from the start of a section: references, abbreviations and lines. */
function joinUnits(units: readonly Kept[], info: Uint8Array, lines: TrimmedLines, abbreviations: ByteWriter): Uint8Array {
  const out = new ByteWriter();
  const starts = new Map<UnitHeader, number>();
  let total = 0;
  for (const { header } of units) {
    starts.set(header, total);
    total += header.end - header.offset;
  }
  const tables = new Map<number, number>();
  for (const { header, unit, references, lineAt, newRoot } of units) {
    let table = newRoot === undefined ? tables.get(header.abbreviationOffset) : undefined;
    if (table === undefined) {
      table = abbreviations.length;
      if (newRoot === undefined) tables.set(header.abbreviationOffset, table);
      writeAbbreviations(abbreviations, unit.abbreviations.all(), newRoot);
    }
    putSized(info, header.abbreviationOffsetAt, header.offsetSize, table);
    if (lineAt !== undefined && unit.lineOffset !== undefined) putSized(info, lineAt, header.offsetSize, lines.add(unit, unit.lineOffset));
    for (const { at, size, target } of references) {
      const other = holding(units, target);
      if (other !== undefined) putSized(info, at, size, target - other.header.offset + starts.get(other.header)!);
    }
    out.bytes(info.subarray(header.offset, header.end));
  }
  return out.result();
}

/** DWARF 5 section 7.5.3; `changed` takes the place of the one with its code. */
function writeAbbreviations(out: ByteWriter, all: Iterable<Abbreviation>, changed: Abbreviation | undefined): void {
  for (const old of all) {
    const { code, tag, hasChildren, attributes } = old.code === changed?.code ? changed : old;
    out.uleb(code);
    out.uleb(tag);
    out.bytes([hasChildren ? 1 : 0]);
    for (let i = 0; i < attributes.length; i += 3) {
      out.uleb(attributes[i]!);
      out.uleb(attributes[i + 1]!);
      if (attributes[i + 1] === dw.DW_FORM_implicit_const) out.sleb(attributes[i + 2]!);
    }
    out.bytes([0, 0]);
  }
  out.bytes([0]);
}
