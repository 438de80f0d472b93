import { Flag, type Cpu } from '../../cpu/cpu.ts';
import { RAM } from '../../memory/layout.ts';
import { fields, F } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';
import type { CheckRow, EntryContext } from './check.ts';
import { controlChecks, guestChecks } from './index.ts';

/**
 * The checks of VM entry are sentences about the VMCS. Between two entries a hypervisor changes RIP and little else, so a
 * copy of the fields that passed is kept (a cache, no machine state) and only the rows that could come out otherwise are asked
 * again: those about RIP, and those that look at memory. RFLAGS may differ in the bits that no row asks for.
 */
const RFLAGS_FREE = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.DF | Flag.OF;

/** Rows that depend on more than fields: on the virtual-APIC page, on the VMCS at the link pointer, on PDPTEs in memory. */
const LOOK_AT_MEMORY: ReadonlySet<string> = new Set(['control.tpr-threshold-vtpr', 'guest.link-revision', 'guest.pdptes-memory']);

const again = (row: CheckRow): boolean => LOOK_AT_MEMORY.has(row.id) || row.fields.includes(F.guestRip);
export const controlChecksAgain: readonly CheckRow[] = controlChecks.filter(again);
export const guestChecksAgain: readonly CheckRow[] = guestChecks.filter(again);

/** Word offsets of all that is compared, ascending: fields but for exit information and what may change freely. */
const WORDS = Uint16Array.from(
  fields
    .filter((f) => f.class !== 'exit' && f !== F.guestRip && f !== F.guestRsp && f !== F.guestRflags)
    .flatMap((f) => (f.width === 16 || f.width === 32 ? [f.offset >> 2] : [f.offset >> 2, (f.offset >> 2) + 1]))
    .sort((a, b) => a - b),
);
const RFLAGS = F.guestRflags.offset >> 2;

interface Checked {
  readonly words: Uint32Array;
  rflagsLow: number;
  rflagsHigh: number;
  /** The host-state checks ask for the mode that VM entry happens in. */
  long: boolean;
}

/** By CPU and VMCS address; bounded, the oldest goes first. */
const CACHED = 8;
const caches = new WeakMap<Cpu, Map<number, Checked>>();

function cacheOf(cpu: Cpu): Map<number, Checked> {
  let cache = caches.get(cpu);
  if (!cache) caches.set(cpu, (cache = new Map()));
  return cache;
}

const baseOf = (vmcs: Vmcs): number => (RAM + vmcs.address) >> 2;

/** True when this VMCS passed all checks before and has changed only where `controlChecksAgain` and `guestChecksAgain` look. */
export function unchangedSinceChecked({ cpu, vmcs }: EntryContext): boolean {
  const checked = cacheOf(cpu).get(vmcs.address);
  if (checked === undefined || checked.long !== cpu.longMode) return false;
  const { u32 } = cpu.m;
  const base = baseOf(vmcs);
  if (((checked.rflagsLow ^ u32[base + RFLAGS]!) & ~RFLAGS_FREE) !== 0 || checked.rflagsHigh !== u32[base + RFLAGS + 1]!) return false;
  const { words } = checked;
  for (let n = 0; n < WORDS.length; n++) if (words[n] !== u32[base + WORDS[n]!]) return false;
  return true;
}

/** All checks were passed. */
export function rememberChecked({ cpu, vmcs }: EntryContext): void {
  const cache = cacheOf(cpu);
  let checked = cache.get(vmcs.address);
  if (checked === undefined) {
    if (cache.size === CACHED) cache.delete(cache.keys().next().value!);
    cache.set(vmcs.address, (checked = { words: new Uint32Array(WORDS.length), rflagsLow: 0, rflagsHigh: 0, long: false }));
  }
  const { u32 } = cpu.m;
  const base = baseOf(vmcs);
  for (let n = 0; n < WORDS.length; n++) checked.words[n] = u32[base + WORDS[n]!]!;
  checked.rflagsLow = u32[base + RFLAGS]!;
  checked.rflagsHigh = u32[base + RFLAGS + 1]!;
  checked.long = cpu.longMode;
}
