import { Breakpoints, offsetOf } from './breakpoints.ts';
import { EventClock } from './clock-impl.ts';

import { isRunnable } from './cpu/boundary.ts';
import { hitsDataBreakpoint } from './cpu/breakpoint-registers.ts';
import { Cpu } from './cpu/cpu.ts';
import { controlInstructions } from './cpu/instructions/index.ts';
import { stringInstructions } from './cpu/instructions/strings.ts';
import type { KernelBoot } from './boot/kernel.ts';
import type { CpuModel } from './cpu/models/model.ts';
import { createOverflowTimer } from './cpu/perfmon/counters.ts';
import { resetTlb } from './cpu/mmu/contexts.ts';
import { flushTlbAll } from './cpu/mmu/tlb.ts';
import { Runner } from './cpu/runner.ts';
import { systemInstructions } from './cpu/system/index.ts';
import type { Accel } from './cpu/tiers/regions/cache.ts';
import { resetCpu } from './cpu/system/init.ts';
import type { PcDevices } from './devices/pc.ts';
import { createPc } from './devices/pc.ts';
import type { Log } from './log.ts';
import type { MachineServices } from './machine-services.ts';
import { MAX_CPUS, MAX_RAM } from './memory/layout.ts';
import { LinearMemory } from './memory/linear-memory.ts';
import { PhysicalMemory } from './memory/physical.ts';
import { PortSpace } from './memory/ports.ts';
import type { Probe } from './probe.ts';
import { mergeProbes } from './probes.ts';
import { Scheduler } from './scheduler.ts';
import type { Snapshot } from './snapshot.ts';
import { restoreSnapshot, takeSnapshot } from './snapshot.ts';
import type { BreakpointPlace, Debuggable, StopReason, Watchpoint } from './stop.ts';
import type { Firmware } from './uefi/firmware.ts';
import { vmxInstructions } from './vmx/instructions.ts';
import { writeFieldTable } from './vmx/field-table.ts';
import { createPreemptionTimer } from './vmx/preemption-timer.ts';
import { Watchpoints } from './watchpoints.ts';

export interface MachineOptions {
  /** Bytes of RAM, a multiple of 1 MiB. */
  readonly ramSize: number;
  readonly cpus: number;
  readonly model: CpuModel;
  readonly log: Log;
  /** Wall-clock date at power-on, ms since 1970. */
  readonly startDate: number;
  readonly onSerial?: (byte: number) => void;
  readonly onDebugConsole?: (byte: number) => void;
  /** Makes the firmware; without one the CPUs start at the reset vector with nothing there. */
  readonly firmware?: (services: MachineServices) => Firmware;
  /** A kernel to start without firmware. */
  readonly kernel?: (services: MachineServices) => KernelBoot;
  /** Tier 1, the JIT: mode, threshold and bound; what is left out is as usual. */
  readonly accel?: Partial<Accel>;
  /** QEMU's pc-testdev, for kvm-unit-tests. */
  readonly testDevice?: boolean;
}

/** A wrong machine option: the message says what and why. */
export class MachineError extends Error {}

/** The whole PC. It runs when told to, in the caller's thread, and knows nothing of who watches. */
export class Machine implements Debuggable, MachineServices {
  readonly linear: LinearMemory;
  readonly memory: PhysicalMemory;
  readonly ports: PortSpace;
  readonly clock: EventClock;
  readonly log: Log;
  readonly cpus: readonly Cpu[];
  readonly devices: PcDevices;
  readonly runner: Runner;
  readonly firmware: Firmware | undefined;
  readonly kernel: KernelBoot | undefined;
  readonly scheduler: Scheduler;
  readonly #breakpoints = new Breakpoints();
  readonly #watchpoints: Watchpoints;
  #probes: readonly Probe[] = [];
  #probe: Probe | null = null;
  #stopNames: ReadonlySet<string> = new Set();
  #stopOnFailure = false;
  #legacyBranches = false;
  #reason: StopReason | undefined;

  constructor(options: MachineOptions) {
    const { ramSize, cpus, model, log } = options;
    if (ramSize < 16 << 20 || ramSize > MAX_RAM || ramSize % (1 << 20) !== 0) {
      throw new MachineError(`RAM of ${ramSize / (1 << 20)} MiB: between 16 and ${MAX_RAM / (1 << 20)} whole MiB are possible`);
    }
    if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_CPUS) throw new MachineError(`${cpus} CPUs: between 1 and ${MAX_CPUS} are possible`);
    this.log = log;
    this.linear = new LinearMemory(ramSize);
    this.memory = new PhysicalMemory(this.linear, log);
    writeFieldTable(this.linear, model);
    this.ports = new PortSpace(log);
    this.clock = new EventClock(options.startDate);
    this.cpus = Array.from({ length: cpus }, (_, n) => new Cpu(n, this.linear, model, this));
    this.#watchpoints = new Watchpoints(this, (cpu, hit) => this.#stop({ kind: 'watchpoint', cpu: cpu.index, ...hit }));
    this.memory.onMarkedWrite = (page, from, to) => {
      if (this.runner.finder.written(page, from, to)) this.runner.leave = true;
    };
    // The window of a display adapter that is not there: reads give all ones, writes vanish.
    this.memory.mapMmio({ name: 'vga window', base: 0xa_0000, length: 0x2_0000, read: (_, size) => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1), write: () => {} }); // prettier-ignore
    const helpers = { ...systemInstructions, ...controlInstructions, ...stringInstructions, ...vmxInstructions };
    this.runner = new Runner(this.linear, this, helpers, {
      stopAt: (cpu, linear) => this.#stopAt(cpu, linear),
      watches: (cpu, linear, size, write) =>
        (this.#watchpoints.size > 0 && this.#watchpoints.hit(linear, size, write) !== undefined) || hitsDataBreakpoint(cpu, linear, size, write),
      watchesData: () => this.#watchpoints.size > 0,
      catchesInstructions: () => this.#stopNames.size > 0,
      stopAtInstruction: (cpu, { name }) => (this.#stopNames.has(name) ? { kind: 'vmx-instruction', cpu: cpu.index, name } : undefined),
      stopped: (reason) => this.#stop(reason),
      firmwareTrap: (cpu, physical) => this.firmware!.trap(cpu, physical),
    }, options.accel); // prettier-ignore
    this.scheduler = new Scheduler(this.cpus, this.runner, this.clock);
    this.devices = createPc(this, {
      currentCpu: () => this.scheduler.turn,
      ...(options.onSerial && { onSerial: options.onSerial }),
      ...(options.onDebugConsole && { onDebugConsole: options.onDebugConsole }),
      onDebugExit: (code) => this.#stop({ kind: 'debug-exit', code }),
      chipset: options.firmware || options.kernel ? 'done' : 'raw',
      testDevice: options.testDevice === true,
    });
    for (const [n, cpu] of this.cpus.entries()) cpu.irq = this.devices.lapics[n]!;
    for (const cpu of this.cpus) {
      createPreemptionTimer(cpu);
      createOverflowTimer(cpu);
    }
    this.firmware = options.firmware?.(this);
    this.kernel = options.kernel?.(this);
    if (this.firmware) this.runner.finder.trapRange = this.firmware.trapRange;
    this.#updateMarks();
    this.#powerOn();
  }

  get probe(): Probe | null {
    return this.#probe;
  }

  /** Attaches an observer; the returned function detaches it. */
  observe(probe: Probe): () => void {
    this.#setProbes([...this.#probes, probe]);
    return () => this.#setProbes(this.#probes.filter((p) => p !== probe));
  }

  /** Instructions and event deliveries over all CPUs since power-on. */
  get instructions(): bigint {
    return this.cpus.reduce((n, c) => n + c.retired, 0n);
  }

  // ---- MachineServices

  retiredBy(cpu: Cpu): number {
    return this.runner.retiredBy(cpu);
  }

  kick(): void {
    this.runner.leave = true;
  }

  yieldTurn(): void {
    if (this.cpus.length > 1) this.runner.yieldTurn();
  }

  request(what: 'reset' | 'power-off' | 'triple-fault'): void {
    if (what === 'triple-fault') this.#stop({ kind: 'triple-fault', cpu: this.scheduler.turn });
    else this.#stop({ kind: what });
  }

  markLegacyBranches(): void {
    if (this.#legacyBranches) return;
    this.#legacyBranches = true;
    this.#updateMarks();
    this.runner.leave = true;
  }

  invalidateCode(page: number): void {
    this.runner.finder.invalidate(page);
    this.runner.leave = true;
  }

  // ---- Debuggable

  run(budget: number): StopReason {
    this.#reason = undefined;
    this.runner.stop = false;
    if (this.scheduler.idle && !this.scheduler.skip()) return { kind: 'idle', until: Infinity };
    for (let left = budget; left > 0;) {
      left -= this.scheduler.run(left);
      if (this.#reason) return this.#stopped(this.#reason);
      if (this.scheduler.idle) return { kind: 'idle', until: this.clock.nextDeadline() };
    }
    return { kind: 'quantum' };
  }

  step(index: number): StopReason {
    this.#reason = undefined;
    this.runner.stop = false;
    const cpu = this.cpus[index]!;
    if (!isRunnable(cpu) && this.scheduler.idle && !this.scheduler.skip()) return { kind: 'idle', until: Infinity };
    const done = this.scheduler.step(index);
    if (this.#reason) return this.#stopped(this.#reason);
    return done > 0 ? { kind: 'step', cpu: index } : { kind: 'idle', until: this.clock.nextDeadline() };
  }

  interrupt(): void {
    this.#stop({ kind: 'interrupted', cpu: this.scheduler.turn });
  }

  /** Stops before the next instruction: a probe recognised something in the code about to run. */
  stopForImage(cpu: number): void {
    this.#stop({ kind: 'image', cpu });
  }

  addBreakpoint(place: BreakpointPlace): number {
    const id = this.#breakpoints.add(place);
    this.runner.finder.remark(offsetOf(place));
    return id;
  }

  removeBreakpoint(id: number): void {
    const place = this.#breakpoints.remove(id);
    if (place) this.runner.finder.remark(offsetOf(place));
  }

  addWatchpoint(w: Watchpoint): number {
    for (const cpu of this.cpus) flushTlbAll(cpu);
    return this.#watchpoints.add(w);
  }

  removeWatchpoint(id: number): void {
    this.#watchpoints.remove(id);
  }

  stopOnVmxInstructions(names: ReadonlySet<string>): void {
    this.#stopNames = names;
  }

  stopOnVmxFailure(on: boolean): void {
    this.#stopOnFailure = on;
    this.#setProbes(this.#probes);
  }

  snapshot(): Snapshot {
    return takeSnapshot(this);
  }

  /** Throws SnapshotError when the snapshot is of another kind of machine. */
  restore(snapshot: Snapshot): void {
    restoreSnapshot(this, snapshot);
  }

  /** System reset: as the reset button, with RAM kept where hardware keeps it; the firmware starts over. */
  reset(): void {
    this.#powerOn();
  }

  #powerOn(): void {
    for (const cpu of this.cpus) {
      resetTlb(cpu);
      resetCpu(cpu, 'power-on');
    }
    this.devices.reset();
    this.#legacyBranches = false;
    this.#updateMarks();
    this.runner.finder.pages.flush();
    this.scheduler.restore([0, 0, 0, 0]);
    this.firmware?.setUp(this.cpus[0]!);
    this.kernel?.setUp(this.cpus[0]!);
  }

  #stop(reason: StopReason): void {
    this.#reason ??= reason;
    this.runner.stop = true;
    this.runner.leave = true;
  }

  #stopped(reason: StopReason): StopReason {
    if (reason.kind === 'reset') this.reset();
    return reason;
  }

  #stopAt(cpu: Cpu, linear: bigint): StopReason | undefined {
    let id = this.#breakpoints.atLinear(linear);
    if (id === undefined && this.#breakpoints.hasPhysical) id = this.#breakpoints.atPhysical(this.runner.finder.physicalOfCode(cpu, linear));
    return id === undefined ? undefined : { kind: 'breakpoint', cpu: cpu.index, id };
  }

  #setProbes(probes: readonly Probe[]): void {
    this.#probes = probes;
    const own: Probe[] = this.#stopOnFailure ? [{ vmFailure: (cpu) => this.#stop({ kind: 'vm-entry-failure', cpu: cpu.index }) }] : [];
    this.#probe = mergeProbes([...probes, ...own]);
    this.#updateMarks();
  }

  /** Decoded code carries marks for breakpoints and for control transfers while they are observed. */
  #updateMarks(): void {
    const traced = this.#probe?.branch !== undefined;
    const legacyBranches = this.#legacyBranches;
    const { marks, pages } = this.runner.finder;
    if (marks.traced !== traced || marks.legacyBranches !== legacyBranches) pages.flush();
    this.runner.finder.marks = {
      any: () => this.#breakpoints.any,
      marked: (page, offset) => this.#breakpoints.marked(page, offset),
      traced,
      legacyBranches,
    };
  }
}
