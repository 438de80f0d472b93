import type { LinkBase } from '../link-base.ts';
import { StringTable } from '../string-table.ts';
import type { WorkBudget } from './work-budget.ts';

const NAMES = ['info', 'abbrev', 'str', 'line', 'line_str', 'str_offsets', 'addr', 'ranges', 'rnglists', 'aranges'] as const;
export type DwarfSectionName = (typeof NAMES)[number];

/** The debug sections of one file and what all their readers share. An absent section is empty: reading in it fails with its name. */
export interface DwarfContext {
  readonly section: Readonly<Record<DwarfSectionName, Uint8Array>>;
  readonly strings: StringTable;
  readonly lineStrings: StringTable;
  /** Names stored in place: DW_FORM_string. */
  readonly infoStrings: StringTable;
  readonly base: LinkBase;
  readonly budget: WorkBudget;
}

/** `find` gives the contents of a section by its full name, ".debug_info". */
export function dwarfContext(find: (name: string) => Uint8Array | undefined, base: LinkBase, makeBudget: (size: number) => WorkBudget): DwarfContext {
  const none = new Uint8Array(0);
  const section = Object.fromEntries(NAMES.map((name) => [name, find(`.debug_${name}`) ?? none])) as Record<DwarfSectionName, Uint8Array>;
  const size = NAMES.reduce((sum, name) => sum + section[name].length, 0);
  return {
    section,
    strings: new StringTable(section.str, '.debug_str'),
    lineStrings: new StringTable(section.line_str, '.debug_line_str'),
    infoStrings: new StringTable(section.info, '.debug_info'),
    base,
    budget: makeBudget(size),
  };
}
