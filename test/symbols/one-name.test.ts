import { beforeAll, describe, expect, it } from 'vitest';
import { rows } from '../boot/rows.ts';
import { runGdb } from '../support/gdb.ts';
import { waitingMachine } from '../support/vmxscope.ts';

/** The second-stage loader runs where 64 KiB of the file were read, all later code at the link address. */
const LINKED = 'guest/bin/vmxguest.elf';
const EARLY = /vmxguest\.elf@0x([0-9a-f]+)-0x([0-9a-f]+)$/;
const early = new Set(['entry', 'uefi64_entry', 'uefi_entry_save_regs', 'uefi_entry_ret']);
/** Rows that are an instruction inside a function. */
const within: Readonly<Record<string, string>> = { vmlaunch: 'vt__vm_run_first' };

describe('real gdb on the embedded guest: every address has one name', () => {
  const seen = rows.slice(1);
  let stops: string[];
  let output = '';

  beforeAll(async () => {
    const machine = await waitingMachine(['--serial', 'none']);
    try {
      const result = await runGdb([
        'set breakpoint pending on',
        // Else gdb takes vt__vm_run for Ada.
        'set print demangle off',
        `target remote :${machine.port}`,
        ...seen.map(({ symbol }) => `tbreak ${symbol}`),
        ...seen.flatMap(() => ['continue', 'printf "@stop\\n"', 'info symbol $pc', 'info line *$pc', 'printf "@end\\n"']),
        'printf "@libraries\\n"',
        'info sharedlibrary',
        'break vmlaunch',
        'monitor quit',
      ]);
      output = result.output;
      await machine.ended;
    } finally {
      machine.child.kill('SIGKILL');
    }
    stops = [...output.matchAll(/@stop\n([^]*?)@end/g)].map((match) => match[1]!);
  });

  it('all rows are reached', () => {
    expect(stops, output).toHaveLength(seen.length);
  });

  it.each(seen.map((row, i) => ({ i, ...row })))('$symbol', ({ i, symbol, file }) => {
    const [named, line, ...more] = stops[i]!.trimEnd().split('\n');
    expect(more).toEqual([]);
    const [, name, where] = /^(\S+)(?: \+ \d+)? in section \S+ of target:(.*)$/.exec(named!) ?? [];
    expect(name).toBe(within[symbol] ?? symbol);
    if (early.has(symbol)) expect(where).toMatch(EARLY);
    else expect(where!.endsWith(LINKED)).toBe(true);
    expect(line).toMatch(new RegExp(`^Line \\d+ of "guest/src/${file.replaceAll('.', '\\.')}" starts at address 0x[0-9a-f]+ <${name}`));
  });

  it('the early copy is named by where it lies, and ends before the loader', () => {
    const libraries = output.slice(output.indexOf('@libraries')).matchAll(/^0x(\S+) +0x(\S+) +Yes.* target:(\S+)$/gm);
    const [loader, copy, ...others] = [...libraries].map(([, from, to, name]) => ({ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), name: name! }));
    expect(loader!.name).toMatch(/vmxguest\.efi$/);
    const [, low, high] = EARLY.exec(copy!.name)!;
    expect(copy!.from >= BigInt(`0x${low}`) && copy!.to <= BigInt(`0x${high}`)).toBe(true);
    expect(BigInt(`0x${high}`) - BigInt(`0x${low}`)).toBeLessThanOrEqual(0x10000n);
    expect(BigInt(`0x${high}`)).toBeLessThanOrEqual(loader!.from);
    expect(others).toEqual([]);
  });

  it('vmlaunch is where it is linked, and nowhere else', () => {
    expect(output).toMatch(/^Breakpoint \d+ at 0x401[0-9a-f]+: file guest\/src\/vt\/vt_run\.S, line \d+\.$/m);
  });
});
