import { Flag, type Cpu } from '../../cpu/cpu.ts';
import { fields, F } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';
import type { CheckRow, EntryContext } from './check.ts';
import { controlChecks, guestChecks } from './index.ts';

/**
 * The checks of VM entry are sentences about the VMCS. Between two entries a hypervisor changes RIP and little else, so a
 * copy of the fields that passed is kept (a cache, no machine state) and only the rows that look at memory are asked again. The
 * rows about RIP ask for its upper half, and the ones about RFLAGS not for all bits: the rest may differ.
 */
const RFLAGS_FREE = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.DF | Flag.OF;

/** Rows that depend on more than fields: on the virtual-APIC page, on the VMCS at the link pointer, on PDPTEs in memory. */
const lookAtMemory = (row: CheckRow): boolean => /^(control\.tpr-threshold-vtpr|guest\.link-revision|guest\.pdptes-memory)$/.test(row.id);
export const controlChecksAgain: readonly CheckRow[] = controlChecks.filter(lookAtMemory);
export const guestChecksAgain: readonly CheckRow[] = guestChecks.filter(lookAtMemory);

/** Word offsets of all that is compared, ascending: fields but for exit information and what may change freely. */
const WORDS = Uint16Array.from(
  fields
    .filter((f) => f.class !== 'exit' && f !== F.guestRsp && f !== F.guestRflags)
    .flatMap((f) => (f.width === 16 || f.width === 32 ? [f.offset >> 2] : [f.offset >> 2, (f.offset >> 2) + 1]))
    .filter((word) => word !== F.guestRip.offset >> 2)
    .sort((a, b) => a - b),
);
const RFLAGS = F.guestRflags.offset >> 2;

/** A VMCS that passed all checks. */
export interface Checked {
  readonly words: Uint32Array;
  rflagsLow: number;
  rflagsHigh: number;
  /** What the rows look at, and the ones that apply and look at memory too. */
  context: EntryContext;
  controlChecks: readonly CheckRow[];
  guestChecks: readonly CheckRow[];
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

/** What is known of this VMCS, if it passed all checks before and has changed only where its `controlChecks` and `guestChecks` look. */
export function checkedBefore(cpu: Cpu, vmcs: Vmcs): Checked | undefined {
  const checked = cacheOf(cpu).get(vmcs.address);
  if (checked === undefined || checked.long !== cpu.longMode) return undefined;
  const { u32 } = cpu.m;
  const base = vmcs.word;
  if (((checked.rflagsLow ^ u32[base + RFLAGS]!) & ~RFLAGS_FREE) !== 0 || checked.rflagsHigh !== u32[base + RFLAGS + 1]!) return undefined;
  const { words } = checked;
  for (let n = 0; n < WORDS.length; n++) if (words[n] !== u32[base + WORDS[n]!]) return undefined;
  return checked;
}

/** All checks were passed. */
export function rememberChecked(context: EntryContext): void {
  const { cpu, vmcs } = context;
  const cache = cacheOf(cpu);
  const applies = (row: CheckRow): boolean => row.when === undefined || row.when(context);
  const known = cache.get(vmcs.address);
  if (known === undefined && cache.size === CACHED) cache.delete(cache.keys().next().value!);
  const { u32 } = cpu.m;
  const words = known?.words ?? new Uint32Array(WORDS.length);
  for (let n = 0; n < WORDS.length; n++) words[n] = u32[vmcs.word + WORDS[n]!]!;
  cache.set(vmcs.address, {
    words,
    rflagsLow: u32[vmcs.word + RFLAGS]!,
    rflagsHigh: u32[vmcs.word + RFLAGS + 1]!,
    context,
    controlChecks: controlChecksAgain.filter(applies),
    guestChecks: guestChecksAgain.filter(applies),
    long: cpu.longMode,
  });
}
