import { describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { buildMachine } from '../../src/cli/build-machine.ts';
import { loadSymbolFiles } from '../../src/cli/symbol-files.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { traceBoot } from '../../src/trace/trace-boot.ts';
import type { TraceOptions } from '../../src/trace/trace-boot.ts';
import type { TraceRecord } from '../../src/trace/ndjson.ts';

const files = loadSymbolFiles(join(import.meta.dirname, '../../guest/bin'), () => {});

interface Run {
  readonly lines: readonly string[];
  readonly machine: Machine;
}

/** Boots the embedded guest to the firmware's prompt, traced or not. */
function boot(cpu: string, smp: number, options?: Partial<TraceOptions>): Run {
  const arguments_ = { m: '256M', smp: String(smp), cpu, esp: undefined, image: undefined };
  const { machine } = buildMachine(arguments_, () => {}, () => {}); // prettier-ignore
  const lines: string[] = [];
  const tracer = options && traceBoot(machine, files, { format: 'text', write: (line) => lines.push(line), ...options });
  for (let idle = 0, rounds = 0; idle < 20 && rounds < 1000; rounds++) {
    const reason = machine.run(500_000);
    if (reason.kind === 'idle') idle++;
    else if (reason.kind === 'interrupted') break;
  }
  tracer?.finish();
  return { lines, machine };
}

const records = (lines: readonly string[]): TraceRecord[] => lines.map((l) => JSON.parse(l) as TraceRecord);

/** The rows of the boot in order, each with the world it runs in. */
const rows = [
  ['efi_main', 'firmware'], ['entry', 'vmm'], ['uefi64_entry', 'vmm'], ['uefi_init', 'vmm'], ['uefi_entry_start', 'vmm'], ['callmain64', 'vmm'], ['vmm_main', 'vmm'],
  ['bsp_proc', 'vmm'], ['create_pass_vm', 'vmm'], ['vmmcall_boot_enable', 'vmm'], ['vmmcall_boot_thread', 'vmm'], ['bsp_init_thread', 'vmm'],
  ['initregs', 'vmm'], ['copy_uefi_bootcode', 'vmm'], ['vt_start_vm', 'vmm'], ['vt_mainloop', 'vmm'], ['vt__vm_run', 'vmm'], ['vt__vm_run_first', 'vmm'],
  ['vmlaunch', 'vmm'], ['uefi_entry_ret', 'guest'],
] as const; // prettier-ignore

const machines = ['penryn', 'skylake'].flatMap((cpu) => [1, 2].map((smp) => ({ cpu, smp })));

describe.each(machines)('$cpu with $smp CPU(s)', ({ cpu, smp }) => {
  const text = boot(cpu, smp, { format: 'text' });
  const ndjson = records(boot(cpu, smp, { format: 'ndjson' }).lines);

  test('NDJSON has the rows in order, in their worlds', () => {
    const entered = ndjson.filter((r) => r.cpu === 0 && ['call', 'root', 'jump', 'inline', 'vm-entry'].includes(r.event));
    const first = rows.map(([name]) => entered.findIndex((r) => r.name === name || r.instruction === name));
    expect(first.every((n) => n >= 0)).toBe(true);
    expect(first).toEqual([...first].sort((a, b) => a - b));
    expect(first.map((n) => entered[n]!.world)).toEqual(rows.map(([, world]) => world));
  });

  test('so has the text', () => {
    const lines = text.lines.map((line) => /^ +0 (\w+) [ \d,]*\| (.*)$/.exec(line)).filter((m) => m !== null);
    const at = rows.map(([name]) => lines.findIndex((m) => new RegExp(`^ *(} )?(=> )?${name}( |$)|VM entry \\(${name}\\)`).test(m[2]!)));
    expect(at.every((n) => n >= 0)).toBe(true);
    expect(at).toEqual([...at].sort((a, b) => a - b));
    expect(at.map((n) => lines[n]![1])).toEqual(rows.map(([, world]) => world));
  });

  test('the loader goes on as the guest, and its functions return there', () => {
    const returns = ndjson.filter((r) => r.event === 'return' && r.cpu === 0 && ['efi_main', 'efi:StartImage'].includes(r.name!));
    expect(returns.map((r) => [r.name, r.world, r.lost])).toEqual([['efi_main', 'guest', undefined], ['efi:StartImage', 'guest', undefined]]); // prettier-ignore
  });

  test('every function of the NDJSON is in the text', () => {
    const shown = text.lines.join('\n');
    const names = new Set(ndjson.filter((r) => ['call', 'jump', 'inline', 'firmware-call'].includes(r.event)).map((r) => r.name!));
    expect(names.size).toBeGreaterThan(60);
    expect([...names].filter((name) => !name.startsWith('0x') && !shown.includes(name))).toEqual([]);
  });

  test('enters and returns balance, on every stack', () => {
    const depth = new Map<string, number>();
    for (const r of ndjson) {
      const key = `${r.cpu} ${r.stack}`;
      if (['call', 'interrupt', 'firmware-call', 'root'].includes(r.event)) depth.set(key, r.depth! + 1);
      else if (r.event === 'return' && depth.has(key)) {
        expect(r.depth).toBe(depth.get(key)! - 1);
        depth.set(key, r.depth!);
      } else if (r.event === 'stack') depth.set(`${r.cpu} ${r.stack}`, r.depth!);
    }
  });

  test(smp === 2 ? 'the application processor has its own tree' : 'there is one processor', () => {
    if (smp === 1) {
      expect(new Set(ndjson.map((r) => r.cpu ?? 0))).toEqual(new Set([0]));
      return;
    }
    const second = ndjson
      .filter((r) => r.cpu === 1 && ['call', 'jump', 'root', 'inline', 'vm-entry'].includes(r.event))
      .map((r) => r.name ?? r.instruction);
    const order = ['callmain64', 'apinitproc0', 'ap_proc', 'create_pass_vm', 'vt_start_vm', 'vt_mainloop', 'vmlaunch'].map((n) => second.indexOf(n));
    expect(order.every((n) => n >= 0)).toBe(true);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(second).not.toContain('vmm_main');
  });

  test('two runs give the same text', () => {
    expect(boot(cpu, smp, { format: 'text' }).lines).toEqual(text.lines);
  });

  test('tracing changes nothing in the run', () => {
    const { machine } = boot(cpu, smp);
    expect(machine.cpus.map((c) => c.retired)).toEqual(text.machine.cpus.map((c) => c.retired));
    expect(machine.clock.now()).toBe(text.machine.clock.now());
    const [a, b] = [machine, text.machine].map((m) => Buffer.from(m.memory.peek(0, m.memory.ramSize)!));
    expect(a!.equals(b!)).toBe(true);
  });
});

describe('options', () => {
  test('--only an image, and firmware calls by pattern', () => {
    const loader = boot('skylake', 1, { only: ['vmxguest.efi'], format: 'ndjson' }).lines;
    expect(new Set(records(loader).map((r) => r.image).filter((i) => i !== undefined))).toEqual(new Set(['vmxguest.efi'])); // prettier-ignore
    const calls = records(boot('skylake', 1, { only: ['efi:*Pages'], format: 'ndjson' }).lines).filter((r) => r.event === 'firmware-call');
    expect(new Set(calls.map((r) => r.name))).toEqual(new Set(['efi:AllocatePages', 'efi:FreePages']));
    expect(calls.every((r) => r.args!.length >= 2)).toBe(true);
  });

  test('--until ends the trace there', () => {
    const { lines } = boot('skylake', 1, { until: 'vmm_main' });
    expect(lines.some((l) => l.includes('vmm_main'))).toBe(true);
    expect(lines.some((l) => l.includes('bsp_proc'))).toBe(false);
  });

  test('finishing twice writes once', () => {
    const arguments_ = { m: '64M', smp: '1', cpu: 'skylake', esp: undefined, image: undefined };
    const { machine } = buildMachine(arguments_, () => {}, () => {}); // prettier-ignore
    const lines: string[] = [];
    const tracer = traceBoot(machine, files, { format: 'text', write: (line) => lines.push(line) });
    machine.run(100_000);
    tracer.finish();
    const { length } = lines;
    tracer.finish();
    machine.run(100_000);
    expect(lines.length).toBe(length);
  });
});
