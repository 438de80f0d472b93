import { restoreGuestHooks } from './vmx/hooks.ts';
import { resetTlb } from './cpu/mmu/contexts.ts';
import { watchLegacyBranches } from './cpu/mpx/state.ts';
import type { Plain } from './devices/device.ts';
import type { Machine } from './machine.ts';
import { CPU_BLOCKS, CPU_BLOCK_SIZE, PAGE_SIZE, RAM } from './memory/layout.ts';

/**
 * The whole machine as data. Everything but the pages is JSON; pages of RAM that are all zero are left out. TLBs and decoded
 * code are caches and not part of it.
 */
export interface Snapshot {
  readonly model: string;
  readonly ramSize: number;
  readonly cpus: Uint8Array;
  readonly ram: ReadonlyMap<number, Uint8Array>;
  readonly clock: Plain;
  readonly scheduler: readonly number[];
  readonly devices: Readonly<Record<string, Plain>>;
  readonly firmware: Plain;
}

/** A snapshot that does not fit the machine; the message says why. */
export class SnapshotError extends Error {}

export function takeSnapshot(machine: Machine): Snapshot {
  const { linear, cpus } = machine;
  return {
    model: cpus[0]!.model.name,
    ramSize: linear.ramSize,
    cpus: linear.u8.slice(CPU_BLOCKS, CPU_BLOCKS + cpus.length * CPU_BLOCK_SIZE),
    ram: new Map(usedPages(machine)),
    clock: machine.clock.snapshot(),
    scheduler: machine.scheduler.snapshot(),
    devices: Object.fromEntries(machine.devices.all.map((d) => [d.name, d.snapshot()])),
    firmware: machine.firmware?.snapshot() ?? null,
  };
}

/** Puts a machine of the same kind into the state of a snapshot. */
export function restoreSnapshot(machine: Machine, s: Snapshot): void {
  const { linear, cpus } = machine;
  const differs = (what: string, mine: unknown, its: unknown): SnapshotError =>
    new SnapshotError(`snapshot of a machine with ${what} ${String(its)}; this one has ${String(mine)}`);
  if (s.ramSize !== linear.ramSize) throw differs('RAM', linear.ramSize, s.ramSize);
  if (s.cpus.length !== cpus.length * CPU_BLOCK_SIZE) throw differs('CPUs', cpus.length, s.cpus.length / CPU_BLOCK_SIZE);
  if (s.model !== cpus[0]!.model.name) throw differs('CPU model', cpus[0]!.model.name, s.model);
  if ((s.firmware === null) !== (machine.firmware === undefined)) throw differs('firmware', machine.firmware !== undefined, s.firmware !== null);
  linear.u8.set(s.cpus, CPU_BLOCKS);
  for (const [page] of usedPages(machine)) if (!s.ram.has(page)) linear.u8.fill(0, RAM + page * PAGE_SIZE, RAM + (page + 1) * PAGE_SIZE);
  for (const [page, bytes] of s.ram) linear.u8.set(bytes, RAM + page * PAGE_SIZE);
  machine.clock.restore(s.clock);
  for (const device of machine.devices.all) {
    const state = s.devices[device.name];
    if (state === undefined) throw new SnapshotError(`the snapshot has no device ${device.name}`);
    device.restore(state);
  }
  machine.firmware?.restore(s.firmware);
  machine.memory.pageMarks.fill(0);
  machine.runner.finder.pages.flush();
  for (const cpu of cpus) {
    resetTlb(cpu);
    restoreGuestHooks(cpu);
    watchLegacyBranches(cpu);
  }
  machine.scheduler.restore(s.scheduler);
}

const WORDS = PAGE_SIZE / 4;

/** Pages of RAM with anything but zeros, with copies of their bytes. */
function* usedPages(machine: Machine): Generator<[number, Uint8Array]> {
  const { u32, u8, ramSize } = machine.linear;
  for (let page = 0; page < ramSize / PAGE_SIZE; page++) {
    const start = (RAM + page * PAGE_SIZE) >> 2;
    for (let n = 0; n < WORDS; n++) {
      if (u32[start + n] === 0) continue;
      yield [page, u8.slice(start * 4, start * 4 + PAGE_SIZE)];
      break;
    }
  }
}
