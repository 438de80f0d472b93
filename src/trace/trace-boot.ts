import type { Cpu } from '../machine/cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { CodeMap } from './code-map.ts';
import { CpuTracer } from './cpu-tracer.ts';
import { NdjsonWriter } from './ndjson.ts';
import { nameFilter } from './patterns.ts';
import { failureText } from '../machine/vmx/failure.ts';
import { TextTree } from './text-tree.ts';

export interface TraceOptions {
  /** `text`: a call tree for people, repetitions counted. `ndjson`: every event, one object a line (ndjson.ts: TraceRecord). */
  readonly format: 'text' | 'ndjson';
  /** Only these: functions (`vt_*`, `efi:AllocatePages`) or all functions of an image (`bitvisor.elf`). Inlined calls count. */
  readonly only?: readonly string[];
  /** The machine stops (`interrupted`) when this function, service or inlined call is seen to be entered. */
  readonly until?: string;
  /** Takes a line without its end. */
  readonly write: (line: string) => void;
}

export interface Tracer {
  /** `until` was entered: the run is to end. */
  readonly reached: boolean;
  /** Detaches from the machine and writes what is still open. May be called again. */
  finish(): void;
}

/**
 * Writes the call tree of what the machine executes from now on, for each CPU and world (firmware, VMM, guest). Attach before the
 * first instruction to see the images being loaded. It changes nothing in the run.
 */
export function traceBoot(machine: Machine, files: readonly SymbolFile[], options: TraceOptions): Tracer {
  const only = options.only ?? [];
  const writer = new (options.format === 'text' ? TextTree : NdjsonWriter)(options.write, only.length > 0);
  const code = new CodeMap(machine, files, { wants: nameFilter(only), until: options.until });
  let reached = false;
  let finished = false;
  const until = (): void => {
    if (reached) return;
    reached = true;
    machine.interrupt();
  };
  const tracers = machine.cpus.map((cpu) => new CpuTracer(cpu, machine, code, writer, until));
  const of = (cpu: Cpu): CpuTracer => tracers[cpu.index]!;
  const detach = machine.observe({
    branch: (cpu, kind, from, to) => of(cpu).branch(kind, from, to),
    interrupt: (cpu, event) => of(cpu).interrupt(event),
    vmxInstruction: (cpu, name) => of(cpu).vmxInstruction(name),
    vmEntry: (cpu) => of(cpu).vmEntry(),
    vmFailure: (cpu, failure) => of(cpu).vmFailure(failure.rule, failureText(failure)),
    vmExit: (cpu, reason, qualification) => of(cpu).vmExit(reason, qualification),
    firmwareCall: (cpu, service, args) => of(cpu).firmwareCall(service, args),
    firmwareReturn: (cpu, service, status) => of(cpu).firmwareReturn(service, status),
    imageLoaded: (image) => {
      code.imageLoaded(image);
      writer.image(image.name, image.base, image.size, image.path);
    },
    codePage: (_cpu, page) => code.pageChanged(page),
  });
  return {
    get reached() {
      return reached;
    },
    finish() {
      if (finished) return;
      finished = true;
      detach();
      writer.finish(tracers.flatMap((t) => t.stacks.filter((s) => s.frames.length > 0)));
    },
  };
}
