import { F, guestSegments, type SegmentFields } from '../fields.ts';
import { canonical, type CheckRow, type EntryContext } from './check.ts';

/** SDM Vol. 3, 27.3.1.2: checks on guest segment registers, in its order; the rows of each register are generated. */
const section = '27.3.1.2';

const [ES, CS, SS, DS, FS, GS, LDTR, TR] = guestSegments as unknown as readonly [
  SegmentFields, SegmentFields, SegmentFields, SegmentFields, SegmentFields, SegmentFields, SegmentFields, SegmentFields,
]; // prettier-ignore
const codeAndData = [CS, SS, DS, ES, FS, GS];
const data = [DS, ES, FS, GS];

const rights = (c: EntryContext, s: SegmentFields): number => c.vmcs.num(s.accessRights);
const type = (c: EntryContext, s: SegmentFields): number => rights(c, s) & 15;
const dpl = (c: EntryContext, s: SegmentFields): number => (rights(c, s) >> 5) & 3;
const selector = (c: EntryContext, s: SegmentFields): number => c.vmcs.num(s.selector);
const usable = (c: EntryContext, s: SegmentFields): boolean => (rights(c, s) & 0x1_0000) === 0;
const bit = (c: EntryContext, s: SegmentFields, n: number): boolean => ((rights(c, s) >>> n) & 1) === 1;
const peOff = (c: EntryContext): boolean => (c.vmcs.big(F.guestCr0) & 1n) === 0n;
const id = (s: SegmentFields, what: string): string => `guest.${s.name.toLowerCase()}-${what}`;

/** CS is always checked, the others when usable; none of it in v8086 mode. */
const checked = (s: SegmentFields) => (c: EntryContext) => !c.v8086 && (s === CS || usable(c, s));
const whenUsable = (s: SegmentFields) => (c: EntryContext) => usable(c, s);

const selectors: readonly CheckRow[] = [
  { id: 'guest.tr-ti', section, title: 'TI (bit 2) of the TR selector must be 0', fields: [TR.selector], holds: (c) => (selector(c, TR) & 4) === 0 },
  {
    id: 'guest.ldtr-ti',
    section,
    title: 'TI (bit 2) of a usable LDTR selector must be 0',
    fields: [LDTR.selector, LDTR.accessRights],
    when: whenUsable(LDTR),
    holds: (c) => (selector(c, LDTR) & 4) === 0,
  },
  {
    id: 'guest.ss-rpl',
    section,
    title: 'with "unrestricted guest" 0, RPL of the SS selector must equal RPL of the CS selector',
    fields: [SS.selector, CS.selector],
    when: (c) => !c.v8086 && !c.unrestricted,
    holds: (c) => ((selector(c, SS) ^ selector(c, CS)) & 3) === 0,
  },
];

const canonicalBase = (s: SegmentFields, when?: (c: EntryContext) => boolean): CheckRow => ({
  id: id(s, 'base-canonical'),
  section,
  title: `the ${s.name} base must be canonical`,
  fields: [s.base],
  ...(when ? { when } : {}),
  holds: (c) => canonical(c.vmcs.big(s.base)),
});

const bases: readonly CheckRow[] = [
  ...codeAndData.map((s): CheckRow => ({
    id: id(s, 'v8086-base'),
    section,
    title: `in v8086 mode the ${s.name} base must be the selector shifted left by 4`,
    fields: [s.base, s.selector],
    when: (c) => c.v8086,
    holds: (c) => c.vmcs.big(s.base) === BigInt(selector(c, s) << 4),
  })),
  canonicalBase(TR),
  canonicalBase(FS),
  canonicalBase(GS),
  canonicalBase(LDTR, whenUsable(LDTR)),
  ...[CS, SS, DS, ES].map((s): CheckRow => ({
    id: id(s, 'base-high'),
    section,
    title: `bits 63:32 of the ${s.name} base must be 0`,
    fields: [s.base],
    ...(s === CS ? {} : { when: whenUsable(s) }),
    holds: (c) => c.vmcs.big(s.base) >> 32n === 0n,
  })),
];

const v8086: readonly CheckRow[] = [
  ...codeAndData.map((s): CheckRow => ({
    id: id(s, 'v8086-limit'),
    section,
    title: `in v8086 mode the ${s.name} limit must be 0000FFFFH`,
    fields: [s.limit],
    when: (c) => c.v8086,
    holds: (c) => c.vmcs.num(s.limit) === 0xffff,
  })),
  ...codeAndData.map((s): CheckRow => ({
    id: id(s, 'v8086-rights'),
    section,
    title: `in v8086 mode the ${s.name} access rights must be 000000F3H`,
    fields: [s.accessRights],
    when: (c) => c.v8086,
    holds: (c) => rights(c, s) === 0xf3,
  })),
];

const types: readonly CheckRow[] = [
  {
    id: 'guest.cs-type',
    section,
    title: 'the CS type must be 9, 11, 13 or 15 (accessed code segment), or 3 with "unrestricted guest" 1',
    fields: [CS.accessRights],
    when: checked(CS),
    holds: (c) => (type(c, CS) & 9) === 9 || (c.unrestricted && type(c, CS) === 3),
  },
  {
    id: 'guest.ss-type',
    section,
    title: 'the type of a usable SS must be 3 or 7 (read/write, accessed data segment)',
    fields: [SS.accessRights],
    when: checked(SS),
    holds: (c) => type(c, SS) === 3 || type(c, SS) === 7,
  },
  ...data.map((s): CheckRow => ({
    id: id(s, 'type'),
    section,
    title: `the type of a usable ${s.name} must be accessed (bit 0), and readable (bit 1) if it is a code segment (bit 3)`,
    fields: [s.accessRights],
    when: checked(s),
    holds: (c) => (type(c, s) & 1) === 1 && ((type(c, s) & 8) === 0 || (type(c, s) & 2) === 2),
  })),
];

const sBits = codeAndData.map((s): CheckRow => ({
  id: id(s, 's'),
  section,
  title: `S (bit 4) of the ${s.name} access rights must be 1`,
  fields: [s.accessRights],
  when: checked(s),
  holds: (c) => bit(c, s, 4),
}));

const dpls: readonly CheckRow[] = [
  {
    id: 'guest.cs-dpl-data',
    section,
    title: 'with CS type 3 (unrestricted guest), the CS DPL must be 0',
    fields: [CS.accessRights],
    when: (c) => checked(CS)(c) && type(c, CS) === 3,
    holds: (c) => dpl(c, CS) === 0,
  },
  {
    id: 'guest.cs-dpl-non-conforming',
    section,
    title: 'with CS type 9 or 11 (non-conforming), the CS DPL must equal the SS DPL',
    fields: [CS.accessRights, SS.accessRights],
    when: (c) => checked(CS)(c) && (type(c, CS) & 0xd) === 9,
    holds: (c) => dpl(c, CS) === dpl(c, SS),
  },
  {
    id: 'guest.cs-dpl-conforming',
    section,
    title: 'with CS type 13 or 15 (conforming), the CS DPL must not be greater than the SS DPL',
    fields: [CS.accessRights, SS.accessRights],
    when: (c) => checked(CS)(c) && (type(c, CS) & 0xd) === 0xd,
    holds: (c) => dpl(c, CS) <= dpl(c, SS),
  },
  {
    id: 'guest.ss-dpl-rpl',
    section,
    title: 'with "unrestricted guest" 0, the SS DPL must equal RPL of the SS selector',
    fields: [SS.accessRights, SS.selector],
    when: (c) => !c.v8086 && !c.unrestricted,
    holds: (c) => dpl(c, SS) === (selector(c, SS) & 3),
  },
  {
    id: 'guest.ss-dpl-real',
    section,
    title: 'the SS DPL must be 0 when the CS type is 3 or guest CR0.PE is 0',
    fields: [SS.accessRights, CS.accessRights, F.guestCr0],
    when: (c) => !c.v8086 && (type(c, CS) === 3 || peOff(c)),
    holds: (c) => dpl(c, SS) === 0,
  },
  ...data.map((s): CheckRow => ({
    id: id(s, 'dpl'),
    section,
    title: `with "unrestricted guest" 0, the DPL of a usable ${s.name} of type 0-11 must not be less than RPL of its selector`,
    fields: [s.accessRights, s.selector],
    when: (c) => checked(s)(c) && !c.unrestricted && type(c, s) <= 11,
    holds: (c) => dpl(c, s) >= (selector(c, s) & 3),
  })),
];

/** P, reserved bits and granularity: alike for code, data and system segments. */
function commonRows(s: SegmentFields, when?: (c: EntryContext) => boolean): { readonly [what: string]: CheckRow } {
  const fields = [s.accessRights];
  const conditional = when ? { when } : {};
  const limit = (c: EntryContext): number => c.vmcs.num(s.limit);
  return {
    present: {
      id: id(s, 'p'),
      section,
      title: `P (bit 7) of the ${s.name} access rights must be 1`,
      fields,
      ...conditional,
      holds: (c) => bit(c, s, 7),
    },
    reservedLow: {
      id: id(s, 'reserved-low'),
      section,
      title: `bits 11:8 of the ${s.name} access rights must be 0`,
      fields,
      ...conditional,
      holds: (c) => (rights(c, s) & 0xf00) === 0,
    },
    bytes: {
      id: id(s, 'g-bytes'),
      section,
      title: `G (bit 15) must be 0 when any of bits 11:0 of the ${s.name} limit is 0`,
      fields: [s.accessRights, s.limit],
      ...conditional,
      holds: (c) => (limit(c) & 0xfff) === 0xfff || !bit(c, s, 15),
    },
    pages: {
      id: id(s, 'g-pages'),
      section,
      title: `G (bit 15) must be 1 when any of bits 31:20 of the ${s.name} limit is 1`,
      fields: [s.accessRights, s.limit],
      ...conditional,
      holds: (c) => limit(c) >>> 20 === 0 || bit(c, s, 15),
    },
    reservedHigh: {
      id: id(s, 'reserved-high'),
      section,
      title: `bits 31:17 of the ${s.name} access rights must be 0`,
      fields,
      ...conditional,
      holds: (c) => rights(c, s) >>> 17 === 0,
    },
  };
}

const common = codeAndData.map((s) => commonRows(s, checked(s)));
const all = (what: string): CheckRow[] => common.map((rows) => rows[what]!);

const csDb: CheckRow = {
  id: 'guest.cs-db',
  section,
  title: 'with "IA-32e mode guest" 1 and CS.L (bit 13) 1, CS.D/B (bit 14) must be 0',
  fields: [CS.accessRights, F.entryControls],
  when: (c) => checked(CS)(c) && c.ia32eGuest && bit(c, CS, 13),
  holds: (c) => !bit(c, CS, 14),
};

const trCommon = commonRows(TR);
const tr: readonly CheckRow[] = [
  {
    id: 'guest.tr-type',
    section,
    title: 'the TR type must be 11 (busy TSS), or 3 (16-bit busy TSS) with "IA-32e mode guest" 0',
    fields: [TR.accessRights, F.entryControls],
    holds: (c) => type(c, TR) === 11 || (!c.ia32eGuest && type(c, TR) === 3),
  },
  { id: 'guest.tr-s', section, title: 'S (bit 4) of the TR access rights must be 0', fields: [TR.accessRights], holds: (c) => !bit(c, TR, 4) },
  trCommon['present']!,
  trCommon['reservedLow']!,
  trCommon['bytes']!,
  trCommon['pages']!,
  { id: 'guest.tr-unusable', section, title: 'TR must be usable (bit 16 is 0)', fields: [TR.accessRights], holds: (c) => usable(c, TR) },
  trCommon['reservedHigh']!,
];

const ldtrCommon = commonRows(LDTR, whenUsable(LDTR));
const ldtr: readonly CheckRow[] = [
  {
    id: 'guest.ldtr-type',
    section,
    title: 'the type of a usable LDTR must be 2 (LDT)',
    fields: [LDTR.accessRights],
    when: whenUsable(LDTR),
    holds: (c) => type(c, LDTR) === 2,
  },
  {
    id: 'guest.ldtr-s',
    section,
    title: 'S (bit 4) of a usable LDTR must be 0',
    fields: [LDTR.accessRights],
    when: whenUsable(LDTR),
    holds: (c) => !bit(c, LDTR, 4),
  },
  ...Object.values(ldtrCommon),
];

export const guestSegmentChecks: readonly CheckRow[] = [
  ...[...selectors, ...bases, ...v8086, ...types, ...sBits, ...dpls],
  ...[...all('present'), ...all('reservedLow'), csDb, ...all('bytes'), ...all('pages'), ...all('reservedHigh')],
  ...[...tr, ...ldtr],
];
