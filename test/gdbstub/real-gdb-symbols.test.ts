import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SymbolServer } from '../../src/gdbstub/machine/symbol-server.ts';
import { runGdb } from '../support/gdb.ts';
import { buildElf, type BuiltElf } from './build-elf.ts';
import { startHarness, type Harness } from './harness.ts';
import type { ToyMachine } from './toy-machine.ts';

const PROGRAM = `
    .globl entry, body, counter
    .type entry, @function
    .type body, @function
    .text
entry:
    .cfi_startproc
    call body
    jmp entry
    .cfi_endproc
    .size entry, . - entry
body:
    .cfi_startproc
    inc %rax; mov %rax, counter
    ret
    .cfi_endproc
    .size body, . - body
    .data
    .type counter, @object
    .size counter, 8
counter: .quad 0
`;

/** Position-independent: it runs where it is put. */
const MODULE = `
    .globl entry, module_entry, module_inner
    .type module_entry, @function
    .type module_inner, @function
    .text
entry:
module_entry:
    .cfi_startproc
    nop
    call module_inner
    jmp module_entry
    .cfi_endproc
    .size module_entry, . - module_entry
module_inner:
    .cfi_startproc
    inc %rax
    ret
    .cfi_endproc
    .size module_inner, . - module_inner
`;

const BIAS = 0x4000_0000n - 0x20_0000n;
let program: BuiltElf;
let moduleElf: BuiltElf;
beforeAll(() => {
  program = buildElf('program', PROGRAM, 0x10_0000);
  moduleElf = buildElf('module', MODULE, 0x4000_0000 + 0x1000);
});

const open: Harness[] = [];
afterEach(() => {
  for (const h of open.splice(0)) h.close();
});

function load(machine: ToyMachine, elf: BuiltElf, bias = 0n): void {
  for (const s of elf.segments) machine.memory.poke(Number(s.address - bias), s.bytes);
}

async function harness(symbols: SymbolServer): Promise<Harness> {
  const h = await startHarness({ symbols, code: new Uint8Array() });
  open.push(h);
  load(h.machine, program);
  return h;
}

const programOnly = (): SymbolServer => ({ execFile: () => ({ name: 'program', bytes: program.bytes }), libraries: () => [] });

describe('symbols without any file named', () => {
  test('the main program comes through exec-file and vFile', async () => {
    const h = await harness(programOnly());
    const { output } = await runGdb([
      h.connect,
      'info symbol $pc',
      'break body',
      'c',
      'bt',
      'info source',
      'next',
      'p *(long*)&counter',
      'finish',
      'x/i $pc',
      'info files',
    ]);
    expect(output).toContain('Reading /program from remote target');
    expect(output).toContain('entry in section .text');
    expect(output).toMatch(/Breakpoint 1, body \(\) at program\.s:\d+/);
    expect(output).toMatch(/#0 +body \(\)[^]*#1 +0x[0-9a-f]+ in entry \(\)/);
    expect(output).toContain('$1 = 1');
    expect(output).toMatch(/=> 0x10000\d <entry\+\d>/);
  });

  test('a source line is one range step', async () => {
    const h = await harness(programOnly());
    const { output } = await runGdb(['set debug remote 1', h.connect, 'break body', 'c', 'next']);
    expect(output).toMatch(/vCont;r[0-9a-f]+,[0-9a-f]+:p1\.1/);
  });

  test('without a program gdb is told so and goes on', async () => {
    const h = await harness({ execFile: () => undefined, libraries: () => [] });
    const { output } = await runGdb([h.connect, 'stepi', 'p $rip']);
    expect(output).toMatch(/\$1 = .* 0x10000[0-9a-f]/);
  });

  test('files that the target does not offer are not served', async () => {
    const h = await harness(programOnly());
    const { output } = await runGdb([h.connect, 'remote get /etc/passwd /dev/null']);
    expect(output).toMatch(/No such file/);
  });
});

describe('libraries', () => {
  /** The module appears in memory when the program has run for a while, and runs next. */
  function withModule(): { symbols: SymbolServer; appear: (h: Harness) => void } {
    let present = false;
    const library = () => ({ name: 'module', bytes: moduleElf.bytes, segments: [moduleElf.base - BIAS] });
    return {
      symbols: { ...programOnly(), libraries: () => (present ? [library()] : []) },
      appear: (h) =>
        h.machine.scripted.push({ kind: 'quantum' }, () => {
          present = true;
          load(h.machine, moduleElf, BIAS);
          h.machine.cpus[0]!.rip = moduleElf.entry - BIAS;
          return { kind: 'image', cpu: 0 };
        }),
    };
  }

  test('a pending breakpoint resolves when the image appears, even on its first instruction', async () => {
    const { symbols, appear } = withModule();
    const h = await harness(symbols);
    appear(h);
    const { output } = await runGdb([
      'set breakpoint pending on',
      h.connect,
      'break module_entry',
      'break module_inner',
      'c',
      'p $rip',
      'c',
      'bt',
      'info sharedlibrary',
      'next',
      'info breakpoints',
    ]);
    expect(output).toContain('Breakpoint 1 (module_entry) pending');
    expect(output).toMatch(/Breakpoint 1, module_entry \(\) at module\.s:\d+/);
    expect(output).toMatch(/\$1 = .* 0x201000/);
    expect(output).toMatch(/Breakpoint 2, module_inner \(\) at module\.s:\d+/);
    expect(output).toMatch(/#1 +0x0*20100\d in module_entry \(\)/);
    expect(output).toMatch(/0x0*20[01][0-9a-f]+ .*Yes.* (target:)?\/module/);
  });

  test('catch load stops there', async () => {
    const { symbols, appear } = withModule();
    const h = await harness(symbols);
    appear(h);
    const { output } = await runGdb([h.connect, 'catch load module', 'c', 'p $rip']);
    expect(output).toMatch(/Inferior loaded .*module/);
    expect(output).toMatch(/\$1 = .* 0x201000/);
  });

  test('an image that was there before gdb came has its symbols at once', async () => {
    const symbols: SymbolServer = {
      ...programOnly(),
      libraries: () => [{ name: 'module', bytes: moduleElf.bytes, segments: [moduleElf.base - BIAS] }],
    };
    const h = await harness(symbols);
    load(h.machine, moduleElf, BIAS);
    h.machine.cpus[0]!.rip = moduleElf.entry - BIAS;
    const { output } = await runGdb([h.connect, 'info symbol $pc', 'break module_inner', 'c', 'info line']);
    expect(output).toContain('module_entry in section .text of');
    expect(output).toMatch(/Breakpoint 1, module_inner \(\)/);
  });

  test('one file as the program and, elsewhere, as a library: a name has two places', async () => {
    const symbols: SymbolServer = {
      ...programOnly(),
      libraries: () => [{ name: 'program', bytes: program.bytes, segments: [program.base + 0x10_0000n] }],
    };
    const h = await harness(symbols);
    load(h.machine, program, -0x10_0000n);
    const { output } = await runGdb([h.connect, 'break body', 'c', 'set $pc = 0x200000', 'c', 'p $pc']);
    expect(output).toContain('Breakpoint 1 at 0x10000');
    expect(output).toContain('(2 locations)');
    expect(output).toMatch(/\$1 = .* 0x20000[0-9a-f] <body>/);
  });
});
