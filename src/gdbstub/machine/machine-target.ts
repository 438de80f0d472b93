import { Activity, type Cpu } from '../../machine/cpu/cpu.ts';
import { peekTranslate } from '../../machine/cpu/mmu/walk.ts';
import { failureText, lastFailure } from '../../machine/vmx/failure.ts';
import type { StopReason } from '../../machine/stop.ts';
import type { Runnable } from '../runner.ts';
import { Signal, type ExecFilePart, type FilesPart, type LibrariesPart, type MonitorPart, type StopEvent, type Target } from '../target.ts';
import { MachineBreakpoints } from './breakpoints-part.ts';
import type { DebuggedMachine } from './debugged-machine.ts';
import { memoryPart } from './memory-part.ts';
import { describeMode, linearPc } from './mode.ts';
import { registersPart } from './registers-part.ts';
import { absolute, type SymbolServer } from './symbol-server.ts';

export interface MachineTargetOptions {
  readonly symbols?: SymbolServer;
  readonly monitor?: MonitorPart;
}

/** QEMU's single-step flags. */
const STEP = { ENABLE: 1, NOIRQ: 2, NOTIMER: 4 } as const;

/** A machine as the stub sees it: the `Target` of its sessions and the `Runnable` of its runner. */
export class MachineTarget implements Target, Runnable {
  readonly machine: DebuggedMachine;
  readonly threads: Target['threads'];
  readonly registers: Target['registers'];
  readonly memory: NonNullable<Target['memory']>;
  readonly breakpoints: MachineBreakpoints;
  readonly memoryMap: NonNullable<Target['memoryMap']>;
  readonly physicalMode: NonNullable<Target['physicalMode']>;
  readonly stepFlags: NonNullable<Target['stepFlags']>;
  readonly reset: NonNullable<Target['reset']>;
  readonly libraries?: LibrariesPart;
  readonly execFile?: ExecFilePart;
  readonly files?: FilesPart;
  readonly monitor?: MonitorPart;
  readonly #symbols: SymbolServer | undefined;
  #physical = false;
  #stepFlags: number = STEP.ENABLE;
  /** The library list that the client has, in one string. */
  #announced = '';

  constructor(machine: DebuggedMachine, options: MachineTargetOptions = {}) {
    this.machine = machine;
    const cpuOf = (thread: number): Cpu => machine.cpus[thread - 1] ?? machine.cpus[0]!;
    const physicalMode = (): boolean => this.#physical;
    this.threads = { count: () => machine.cpus.length, name: (t) => `cpu${t - 1}`, describe: (t) => describeMode(cpuOf(t)) };
    this.registers = registersPart(cpuOf);
    this.memory = memoryPart(cpuOf, machine.memory, physicalMode);
    this.breakpoints = new MachineBreakpoints(machine, physicalMode);
    // gdb's addresses are linear and page tables change: all of them may be RAM. What is not answers with an error.
    const half = 1n << 63n;
    this.memoryMap = { regions: () => [{ type: 'ram', start: 0n, length: half }, { type: 'ram', start: half, length: half }] }; // prettier-ignore
    this.physicalMode = { get: physicalMode, set: (on) => void (this.#physical = on) };
    const supported = machine.stepHoldingInterrupts ? STEP : { ENABLE: STEP.ENABLE };
    const known = Object.values(supported).reduce((a, b) => a | b, 0);
    this.stepFlags = {
      supported,
      get: () => this.#stepFlags,
      set: (flags) => ((flags & ~known) === 0 ? ((this.#stepFlags = flags), true) : false),
    };
    this.reset = { reset: () => machine.reset() };
    this.#symbols = options.symbols;
    if (options.monitor) this.monitor = options.monitor;
    const symbols = options.symbols;
    if (!symbols) return;
    this.execFile = { name: () => nameOf(symbols.execFile()?.name) };
    this.libraries = {
      list: () => {
        this.#announced = signature(symbols);
        return symbols.libraries().map((l) => ({ ...l, name: absolute(l.name) }));
      },
    };
    this.files = {
      open: (name) => [symbols.execFile(), ...symbols.libraries()].find((f) => f !== undefined && absolute(f.name) === name)?.bytes,
    };
  }

  release(): void {
    this.breakpoints.clear();
    this.monitor?.release();
    this.#physical = false;
    this.#stepFlags = STEP.ENABLE;
  }

  run(budget: number): StopReason {
    return this.machine.run(budget);
  }

  step(cpu: number): StopReason {
    const hold = (this.#stepFlags & (STEP.NOIRQ | STEP.NOTIMER)) !== 0;
    return hold && this.machine.stepHoldingInterrupts ? this.machine.stepHoldingInterrupts(cpu) : this.machine.step(cpu);
  }

  cpuCount(): number {
    return this.machine.cpus.length;
  }

  pc(cpu: number): bigint {
    return linearPc(this.machine.cpus[cpu]!);
  }

  breakpointAt(cpu: number): number | undefined {
    const c = this.machine.cpus[cpu]!;
    if (c.activity !== Activity.active) return undefined;
    const pc = linearPc(c);
    return (this.breakpoints.at(pc) ?? this.breakpoints.atPhysical(() => peekTranslate(c, pc)))?.id;
  }

  activeCpu(preferred: number): number {
    const { cpus } = this.machine;
    const active = (n: number): boolean => cpus[n]?.activity === Activity.active;
    if (active(preferred)) return preferred;
    const other = cpus.findIndex((_, n) => active(n));
    return other >= 0 ? other : Math.min(preferred, cpus.length - 1);
  }

  /** A stop in the protocol's terms; undefined: of no interest to this client, which has all libraries already. */
  stopEvent(reason: StopReason, client: { readonly readsLibraries: boolean }): StopEvent | undefined {
    switch (reason.kind) {
      case 'breakpoint': {
        const found = this.breakpoints.get(reason.id);
        const thread = reason.cpu + 1;
        return found ? { kind: 'breakpoint', thread, hardware: found.type === 'hardware' } : trap(reason.cpu);
      }
      case 'watchpoint':
        return this.#watchpoint(reason);
      case 'vmx-instruction':
        return trap(reason.cpu, `CPU ${reason.cpu} is about to execute ${reason.name}`);
      case 'vm-entry-failure': {
        const failure = lastFailure(this.machine.cpus[reason.cpu]!);
        return trap(reason.cpu, failure ? failureText(failure) : `a VMX instruction failed on CPU ${reason.cpu}`);
      }
      case 'image':
        if (!client.readsLibraries || !this.#symbols || signature(this.#symbols) === this.#announced) return undefined;
        return { kind: 'library', thread: reason.cpu + 1 };
      case 'interrupted':
        return { kind: 'signal', thread: reason.cpu + 1, signal: Signal.interrupt };
      case 'triple-fault':
        return {
          kind: 'signal',
          thread: reason.cpu + 1,
          signal: Signal.segv,
          note: `triple fault on CPU ${reason.cpu}: the processor shut down. Its state can be inspected; "monitor system_reset" starts again.`,
        };
      case 'power-off':
        return { kind: 'exited', code: 0, note: 'the machine powered off' };
      case 'debug-exit':
        return { kind: 'exited', code: reason.code };
      case 'step':
        return trap(reason.cpu);
      case 'quantum':
      case 'idle':
      case 'reset':
        return undefined;
    }
  }

  /** gdb finds its watchpoint by the address: that of the access may lie before the watched bytes. */
  #watchpoint(reason: Extract<StopReason, { kind: 'watchpoint' }>): StopEvent {
    const found = this.breakpoints.get(reason.id);
    if (!found) return trap(reason.cpu);
    const inside = reason.address >= found.address && reason.address < found.address + BigInt(found.length);
    const access = found.type === 'write' ? 'watch' : found.type === 'read' ? 'rwatch' : 'awatch';
    return { kind: 'watchpoint', thread: reason.cpu + 1, access, address: inside ? reason.address : found.address };
  }
}

const nameOf = (name: string | undefined): string | undefined => (name === undefined ? undefined : absolute(name));

function trap(cpu: number, note?: string): StopEvent {
  return { kind: 'signal', thread: cpu + 1, signal: Signal.trap, ...(note === undefined ? {} : { note }) };
}

function signature(symbols: SymbolServer): string {
  return symbols
    .libraries()
    .map((l) => `${l.name} ${l.segments?.join()} ${l.sections?.join()}`)
    .join('\n');
}
