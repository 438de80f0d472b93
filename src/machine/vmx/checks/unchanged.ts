import type { Cpu } from '../../cpu/cpu.ts';
import { MAX_CPUS, VMCS_COPIES, VMCS_COPY_COUNT, VMCS_COPY_SIZE } from '../../memory/layout.ts';
import type { MachineServices } from '../../machine-services.ts';
import { fields } from '../fields.ts';
import type { Vmcs } from '../vmcs.ts';
import type { CheckRow, EntryContext } from './check.ts';
import { controlChecks, guestChecks } from './index.ts';

/**
 * The checks of VM entry are sentences about the VMCS. Between two entries a hypervisor changes RIP and little else, so a
 * copy of the fields that passed is kept (a cache, no machine state) and only the rows that look at memory are asked again. The
 * rows about RIP ask for its upper half, and the ones about RFLAGS not for all bits: the rest may differ (emitted/same-fields.ts).
 */
/** Rows that depend on more than fields: on the virtual-APIC page, on the VMCS at the link pointer, on PDPTEs in memory. */
const lookAtMemory = (row: CheckRow): boolean => /^(control\.tpr-threshold-vtpr|guest\.link-revision|guest\.pdptes-memory)$/.test(row.id);
export const controlChecksAgain: readonly CheckRow[] = controlChecks.filter(lookAtMemory);
export const guestChecksAgain: readonly CheckRow[] = guestChecks.filter(lookAtMemory);

if (fields.some((f) => f.offset + 8 > VMCS_COPY_SIZE)) throw new Error('unchanged: the fields do not fit a copy');

/** A VMCS that passed all checks. */
export interface Checked {
  /** Where the copy is. */
  readonly copy: number;
  /** What the rows look at, and the ones that apply and look at memory too. */
  readonly context: EntryContext;
  readonly controlChecks: readonly CheckRow[];
  readonly guestChecks: readonly CheckRow[];
  /** The host-state checks ask for the mode that VM entry happens in. */
  readonly long: boolean;
}

/** Of each machine, by CPU and VMCS address; the oldest goes first. */
const caches = new WeakMap<MachineServices, Map<number, Checked>>();
const keyOf = (cpu: Cpu, vmcs: Vmcs): number => vmcs.address * MAX_CPUS + cpu.index;

function cacheOf({ machine }: Cpu): Map<number, Checked> {
  let cache = caches.get(machine);
  if (!cache) caches.set(machine, (cache = new Map()));
  return cache;
}

/** What is known of this VMCS, if it passed all checks before and has changed only where its `controlChecks` and `guestChecks` look. */
export function checkedBefore(cpu: Cpu, vmcs: Vmcs): Checked | undefined {
  const checked = cacheOf(cpu).get(keyOf(cpu, vmcs));
  return checked !== undefined && checked.long === cpu.longMode && vmcs.code.same(vmcs.base, checked.copy) !== 0 ? checked : undefined;
}

/** All checks were passed. */
export function rememberChecked(context: EntryContext): void {
  const { cpu, vmcs } = context;
  const cache = cacheOf(cpu);
  const key = keyOf(cpu, vmcs);
  const applies = (row: CheckRow): boolean => row.when === undefined || row.when(context);
  let copy = cache.get(key)?.copy ?? VMCS_COPIES + cache.size * VMCS_COPY_SIZE;
  if (copy === VMCS_COPIES + VMCS_COPY_COUNT * VMCS_COPY_SIZE) {
    const [oldest, { copy: its }] = cache.entries().next().value!;
    cache.delete(oldest);
    copy = its;
  }
  cpu.m.u8.copyWithin(copy, vmcs.base, vmcs.base + VMCS_COPY_SIZE);
  cache.set(key, {
    copy,
    context,
    controlChecks: controlChecksAgain.filter(applies),
    guestChecks: guestChecksAgain.filter(applies),
    long: cpu.longMode,
  });
}
