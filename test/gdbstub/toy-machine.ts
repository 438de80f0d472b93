import type { DebuggedMachine } from '../../src/gdbstub/machine/debugged-machine.ts';
import { Activity, Cpu, EFER } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import { resetTlb } from '../../src/machine/cpu/mmu/contexts.ts';
import { LinearMemory } from '../../src/machine/memory/linear-memory.ts';
import { PhysicalMemory } from '../../src/machine/memory/physical.ts';
import { PortSpace } from '../../src/machine/memory/ports.ts';
import { createLog } from '../../src/machine/log.ts';
import type { MachineServices } from '../../src/machine/machine-services.ts';
import type { BreakpointPlace, StopReason, Watchpoint } from '../../src/machine/stop.ts';

/**
 * A machine for testing the stub alone: real CPU blocks and physical memory, and an interpreter of eight instructions:
 * nop, jmp rel8, call rel32, ret, inc rax (48 ff c0), mov [abs32], rax (48 89 04 25), mov rax, [abs32] (48 8b 04 25), hlt.
 * Anything else is a triple fault; `out 0xf4, al` (e6 f4) powers off. CPUs take turns, one instruction each. Code is
 * 64-bit with paging off, so linear is physical.
 */
export class ToyMachine implements DebuggedMachine {
  readonly cpus: readonly Cpu[];
  readonly memory: PhysicalMemory;
  readonly start: bigint;
  readonly vmxNames = new Set<string>();
  resets = 0;
  executed = 0;
  /** Stops to give out of the next runs, before anything is executed. */
  readonly scripted: (StopReason | (() => StopReason))[] = [];
  #nextId = 1;
  readonly #breakpoints = new Map<number, BreakpointPlace>();
  readonly #watchpoints = new Map<number, Watchpoint>();
  #interrupted = false;

  /** @param features beyond those of skylake, or `-name` to leave one out */
  constructor(cpus: number, start: bigint, code: Uint8Array, features: readonly string[] = []) {
    const linear = new LinearMemory(4 << 20);
    const log = createLog(() => {});
    this.memory = new PhysicalMemory(linear, log);
    const services: MachineServices = {
      memory: this.memory,
      ports: new PortSpace(log),
      clock: {
        now: () => this.executed,
        timer: () => {
          throw new Error('the toy machine has no timers');
        },
        arm: () => {},
        startDate: 0,
      },
      log,
      cpus: [],
      probe: null,
      retiredBy: (cpu) => Number(cpu.retired),
      markLegacyBranches: () => {},
      kick: () => {},
      request: () => {},
      invalidateCode: () => {},
      yieldTurn: () => {},
    };
    const skylake = cpuModel('skylake')!;
    const left = new Set([...skylake.features, ...features].filter((f) => !features.includes(`-${f}`) && !f.startsWith('-')));
    this.cpus = Array.from({ length: cpus }, (_, n) => new Cpu(n, linear, { ...skylake, features: left }, services));
    for (const cpu of this.cpus) cpu.irq = { pending: () => -1, acknowledge: () => -1, getCr8: () => 3, setCr8: () => {} };
    this.start = start;
    this.memory.poke(Number(start), code);
    this.#initialize();
  }

  get breakpointCount(): number {
    return this.#breakpoints.size + this.#watchpoints.size;
  }

  #initialize(): void {
    for (const cpu of this.cpus) {
      for (let n = 0; n < 16; n++) cpu.setGpr(n, 0n);
      cpu.segments[L.CS]!.load(0x8, 0n, 0xffff_ffff, 0xa09b);
      cpu.segments[L.SS]!.load(0x10, 0n, 0xffff_ffff, 0xc093);
      cpu.setU32(L.CODE_SIZE, 2);
      cpu.efer = BigInt(EFER.LME | EFER.LMA);
      cpu.cr0 = 0x31n;
      cpu.cr4 = 0x2020n;
      cpu.rflags = 0x202;
      cpu.rip = this.start;
      cpu.rsp = 0x20_0000n + BigInt(cpu.index) * 0x1000n;
      cpu.activity = Activity.active;
      resetTlb(cpu);
    }
  }

  run(budget: number): StopReason {
    const scripted = this.scripted.shift();
    if (scripted) return typeof scripted === 'function' ? scripted() : scripted;
    let first = true;
    // A slow interpreter: short quanta, so that the event loop gets its turns.
    for (let n = 0; n < Math.min(budget, 20_000); n += this.cpus.length) {
      let active = false;
      for (const cpu of this.cpus) {
        if (cpu.activity !== Activity.active) continue;
        active = true;
        const hit = first ? undefined : this.#breakpointAt(cpu);
        if (hit !== undefined) return { kind: 'breakpoint', cpu: cpu.index, id: hit };
        const stop = this.#execute(cpu);
        if (stop) return stop;
      }
      first = false;
      if (!active) return { kind: 'idle', until: Infinity };
      if (this.#interrupted) {
        this.#interrupted = false;
        return { kind: 'interrupted', cpu: 0 };
      }
    }
    return { kind: 'quantum' };
  }

  step(index: number): StopReason {
    const scripted = this.scripted.shift();
    if (scripted) return typeof scripted === 'function' ? scripted() : scripted;
    const cpu = this.cpus[index]!;
    if (cpu.activity !== Activity.active) return { kind: 'idle', until: Infinity };
    return this.#execute(cpu) ?? { kind: 'step', cpu: index };
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  addBreakpoint(place: BreakpointPlace): number {
    this.#breakpoints.set(this.#nextId, place);
    return this.#nextId++;
  }
  removeBreakpoint(id: number): void {
    this.#breakpoints.delete(id);
  }
  addWatchpoint(w: Watchpoint): number {
    this.#watchpoints.set(this.#nextId, w);
    return this.#nextId++;
  }
  removeWatchpoint(id: number): void {
    this.#watchpoints.delete(id);
  }
  stopOnVmxInstructions(names: ReadonlySet<string>): void {
    this.vmxNames.clear();
    for (const name of names) this.vmxNames.add(name);
  }
  stopOnVmxFailure(): void {}
  reset(): void {
    this.resets++;
    this.#initialize();
  }

  #breakpointAt(cpu: Cpu): number | undefined {
    for (const [id, place] of this.#breakpoints) {
      if ('linear' in place ? place.linear === cpu.rip : BigInt(place.physical) === cpu.rip) return id;
    }
    return undefined;
  }

  #watched(cpu: Cpu, address: bigint, access: 'read' | 'write'): StopReason | undefined {
    for (const [id, w] of this.#watchpoints) {
      if (address + 8n <= w.address || address >= w.address + BigInt(w.length)) continue;
      if (w.access === 'access' || w.access === access) return { kind: 'watchpoint', cpu: cpu.index, id, address, access };
    }
    return undefined;
  }

  #execute(cpu: Cpu): StopReason | undefined {
    const at = Number(cpu.rip);
    const bytes = this.memory.peek(at, 8) ?? new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    this.executed++;
    const [a, b, c, d] = bytes as unknown as [number, number, number, number];
    const next = (length: number): undefined => void (cpu.rip += BigInt(length));
    if (a === 0x90) return next(1);
    if (a === 0xeb) return next(2 + view.getInt8(1));
    if (a === 0xf4) {
      cpu.activity = Activity.hlt;
      return next(1);
    }
    if (a === 0xe8) {
      cpu.rsp -= 8n;
      this.memory.write64(Number(cpu.rsp), cpu.rip + 5n);
      return next(5 + view.getInt32(1, true));
    }
    if (a === 0xc3) {
      cpu.rip = this.memory.read64(Number(cpu.rsp));
      cpu.rsp += 8n;
      return undefined;
    }
    if (a === 0xe6 && b === 0xf4) return { kind: 'power-off' };
    if (a === 0x48 && b === 0xff && c === 0xc0) {
      cpu.setGpr(0, BigInt.asUintN(64, cpu.gpr(0) + 1n));
      return next(3);
    }
    if (a === 0x48 && (b === 0x89 || b === 0x8b) && c === 0x04 && d === 0x25) {
      const address = view.getUint32(4, true);
      if (b === 0x89) this.memory.write64(address, cpu.gpr(0));
      else cpu.setGpr(0, this.memory.read64(address));
      next(8);
      return this.#watched(cpu, BigInt(address), b === 0x89 ? 'write' : 'read');
    }
    cpu.activity = Activity.shutdown;
    return { kind: 'triple-fault', cpu: cpu.index };
  }
}
