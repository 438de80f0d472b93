import type { ByteReader } from '../byte-reader.ts';
import * as dw from './constants.ts';
import { isAddressIndexForm } from './forms.ts';
import type { Unit } from './unit.ts';

/** A function with code, or one inlined copy of a function. */
export interface FunctionNode {
  readonly unit: Unit;
  readonly inlined: boolean;
  /** Offset of the entry that has the name: its own, or the one it is an instance of. */
  readonly named: number;
  /** Start, end, start, end ... */
  readonly ranges: readonly number[];
  readonly entry: number;
  /** Where the call stood that was inlined. */
  readonly callFile: number;
  readonly callLine: number;
  /** Inlined copies inside it. */
  readonly children: FunctionNode[];
}

const WANTED: ReadonlySet<number> = new Set([
  dw.DW_AT_low_pc,
  dw.DW_AT_high_pc,
  dw.DW_AT_ranges,
  dw.DW_AT_entry_pc,
  dw.DW_AT_abstract_origin,
  dw.DW_AT_specification,
  dw.DW_AT_call_file,
  dw.DW_AT_call_line,
]);

/** All functions with code of a unit, each with the tree of what was inlined into it (DWARF 5 sections 3.3.3, 3.3.8). */
export function readFunctions(unit: Unit): FunctionNode[] {
  const functions: FunctionNode[] = [];
  if (unit.firstChild === undefined) return functions;
  unit.context.budget.spend(unit.end - unit.offset, '.debug_info');
  const structuresHoldCode = !dw.C_LANGUAGES.has(unit.language);
  const reader = unit.reader(unit.firstChild);
  // For each open list of children: the function that they are in.
  const around: (FunctionNode | undefined)[] = [undefined];
  while (around.length > 0 && reader.left > 0) {
    const parent = around[around.length - 1];
    const at = reader.pos;
    const code = reader.uleb();
    if (code === 0) {
      around.pop();
      continue;
    }
    const abbreviation = unit.abbreviations.get(code) ?? reader.fail(`abbreviation ${code} is not in the unit's table`, at);
    const { role } = abbreviation;
    if (role === 'function' || role === 'inlined') {
      reader.seek(at);
      const node = readFunction(unit, reader, role === 'inlined', at);
      if (node === undefined) {
        // An abstract instance or a declaration: nothing in it has an address.
        if (abbreviation.hasChildren) around.push(undefined);
        continue;
      }
      if (node.inlined && parent !== undefined) parent.children.push(node);
      else if (!node.inlined) functions.push(node);
      if (abbreviation.hasChildren) around.push(node);
    } else {
      const jump = abbreviation.hasChildren && (role === 'codeless' || (role === 'structure' && !structuresHoldCode));
      if (!jump && abbreviation.fixedSize >= 0) reader.skip(abbreviation.fixedSize);
      else {
        const sibling = unit.skipAttributes(reader, abbreviation);
        if (jump && sibling > reader.pos) {
          reader.seek(sibling);
          continue;
        }
      }
      if (abbreviation.hasChildren) around.push(parent);
    }
  }
  return functions;
}

function readFunction(unit: Unit, reader: ByteReader, inlined: boolean, at: number): FunctionNode | undefined {
  const { attributes } = unit.readEntry(reader, WANTED) ?? reader.fail('null entry where a function stood', at);
  const ranges = unit.rangesOf(attributes);
  if (ranges.length === 0) return undefined;
  const origin = attributes.get(dw.DW_AT_abstract_origin) ?? attributes.get(dw.DW_AT_specification);
  return {
    unit,
    inlined,
    named: (origin && unit.referenceOf(origin)) ?? at,
    ranges,
    entry: entryOf(unit, attributes.get(dw.DW_AT_entry_pc), ranges[0]!),
    callFile: attributes.get(dw.DW_AT_call_file)?.value ?? 0,
    callLine: attributes.get(dw.DW_AT_call_line)?.value ?? 0,
    children: [],
  };
}

/** DWARF 5 section 2.18: an address, or an offset from the start. */
function entryOf(unit: Unit, entry: { form: number; value: number } | undefined, start: number): number {
  if (entry === undefined) return start;
  const address = entry.form === dw.DW_FORM_addr || isAddressIndexForm(entry.form);
  return address ? unit.addressOf(entry) : start + entry.value;
}
