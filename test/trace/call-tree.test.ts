import { describe, expect, test } from 'vitest';
import { traceBoot } from '../../src/trace/trace-boot.ts';
import type { TraceOptions } from '../../src/trace/trace-boot.ts';
import type { TraceRecord } from '../../src/trace/ndjson.ts';
import { bareMachine, CODE, STACK } from '../support/bare-machine.ts';
import { toyProgram } from './toy-program.ts';
import type { Asm, ToyFunction } from './toy-program.ts';

const OTHER_STACK = STACK + 0x8_0000;
const u32 = (n: number): number[] => [n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, n >>> 24];

function run(
  functions: readonly ToyFunction[],
  options: Partial<TraceOptions> = {},
  instructions = 20_000,
): { lines: string[]; tracer: ReturnType<typeof traceBoot> } {
  const machine = bareMachine();
  const program = toyProgram(functions);
  machine.memory.poke(CODE, program.bytes);
  const lines: string[] = [];
  const tracer = traceBoot(machine, [program.file], { format: 'text', write: (line) => lines.push(line), ...options });
  machine.run(instructions);
  tracer.finish();
  return { lines, tracer };
}

/** The tree without columns; comments out. */
const tree = (lines: readonly string[]): string[] =>
  lines.filter((l) => !l.startsWith('#')).map((l) => l.slice(l.indexOf('|') + 1).replace(/^ /, ''));

const leaf = (name: string): ToyFunction => ({ name, body: (a) => a.emit(0x90).ret() });
const main = (body: (a: Asm) => void): ToyFunction => ({ name: 'main', body: (a) => (body(a), a.hlt()) });

interface Case {
  readonly name: string;
  readonly functions: readonly ToyFunction[];
  readonly tree: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: 'calls nest; a line has the function and where it is',
    functions: [main((a) => a.call('f').call('g')), { name: 'f', body: (a) => a.call('g').ret() }, leaf('g')],
    tree: ['main  toy.c:10 {', '  f  toy.c:20 {', '    g  toy.c:30', '  } f', '  g  toy.c:30', '} main (still running)'],
  },
  {
    name: 'a loop is one line',
    functions: [main((a) => a.emit(0xb9, ...u32(1500)).label('again').call('g').emit(0xff, 0xc9).jnz('again')), leaf('g')],
    tree: ['main  toy.c:10 {', '  g x 1,500', '} main (still running)'],
  },
  {
    name: 'a loop of two shows its first round and counts the others',
    functions: [main((a) => a.emit(0xb9, ...u32(7)).label('again').call('f').call('g').emit(0xff, 0xc9).jnz('again')), leaf('f'), leaf('g')],
    tree: ['main  toy.c:10 {', '  f  toy.c:20', '  g  toy.c:30', '  ... f x 6, g x 6', '} main (still running)'],
  },
  {
    name: 'a tail jump is a transition, and the return is the jumped-to function\'s',
    functions: [main((a) => a.call('f').call('g')), { name: 'f', body: (a) => a.call('g').jmp('h') }, leaf('g'), { name: 'h', body: (a) => a.call('g').ret() }],
    tree: ['main  toy.c:10 {', '  f  toy.c:20 {', '    g  toy.c:30', '  } => h  toy.c:40 {', '    g  toy.c:30', '  } h', '  g  toy.c:30', '} main (still running)'],
  },
  {
    name: 'a function without calls that ends in a tail jump',
    functions: [main((a) => a.call('f')), { name: 'f', body: (a) => a.jmp('h') }, leaf('h')],
    tree: ['main  toy.c:10 {', '  f  toy.c:20', '  => h  toy.c:30', '} main (still running)'],
  },
  {
    name: 'push and return is a tail jump',
    functions: [main((a) => a.call('f').call('h')), { name: 'f', body: (a) => a.movEax('h').emit(0x50).ret() }, leaf('h')],
    tree: ['main  toy.c:10 {', '  f  toy.c:20', '  => h  toy.c:30', '  h  toy.c:30', '} main (still running)'],
  },
  {
    name: 'pop and jump is a return',
    functions: [main((a) => a.call('f').call('g')), { name: 'f', body: (a) => a.emit(0x58, 0xff, 0xe0) }, leaf('g')],
    tree: ['main  toy.c:10 {', '  f  toy.c:20', '  g  toy.c:30', '} main (still running)'],
  },
  {
    name: 'a jump inside a function and falling from a label to the next are no transitions',
    functions: [main((a) => a.jmp('on').emit(0x90).label('on').call('g')), leaf('g')],
    tree: ['main  toy.c:10 {', '  g  toy.c:20', '} main (still running)'],
  },
  {
    name: 'falling into the next function is a transition',
    functions: [{ name: 'f', body: (a) => { while (a.bytes.length % 32 !== 0 || a.bytes.length === 0) a.emit(0x90); } }, main((a) => a.call('g')), leaf('g')],
    tree: ['main  toy.c:20 {', '  g  toy.c:30', '} main (still running)'],
  },
  {
    name: 'longjmp: frames that the stack pointer has left end without a return',
    functions: [
      main((a) => a.call('f').emit(0x90).label('back').call('h')),
      { name: 'f', body: (a) => a.call('g').ret() },
      { name: 'g', body: (a) => a.emit(0xbc, ...u32(STACK)).jmp('back') },
      leaf('h'),
    ],
    tree: ['main  toy.c:10 {', '  f  toy.c:20 {', '    g  toy.c:30 (left behind)', '  } f (left behind)', '  h  toy.c:40', '} main (still running)'],
  },
  {
    name: 'threads: another stack starts at its first function, and the first goes on where it was',
    functions: [
      main((a) => a.emit(0xbf, ...u32(OTHER_STACK)).movEax('thread').emit(0x48, 0x89, 0x07).call('f').call('g')),
      { name: 'f', body: (a) => a.call('switch').ret() },
      { name: 'switch', body: (a) => a.emit(0x48, 0x87, 0xe7).ret() }, // xchg rsp, rdi
      { name: 'thread', body: (a) => a.call('g').call('switch').hlt() },
      leaf('g'),
    ],
    tree: [
      'main  toy.c:10 {', '  f  toy.c:20 {', '    switch  toy.c:30 {',
      '-- stack 2', 'thread  toy.c:40 {', '  g  toy.c:50', '  switch  toy.c:30 {',
      '-- stack 1', '    } switch', '  } f', '  g  toy.c:50',
      '-- stack 2', '  } switch (still running)', '} thread (still running)', '-- stack 1', '} main (still running)',
    ],
  },
  {
    name: 'inlined calls are lines of their own around the calls they make, nested',
    functions: [
      {
        name: 'main',
        body: (a) => a.call('g').label('a').call('g').label('b').call('h').label('c').call('g').label('d').call('g').hlt(),
        inlined: [{ name: 'outer', from: 'a', to: 'd' }, { name: 'inner', from: 'b', to: 'c' }],
      },
      leaf('g'),
      leaf('h'),
    ],
    tree: [
      'main  toy.c:10 {', '  g  toy.c:20', '  outer (inlined)  toy.c:10 {', '    g  toy.c:20', '    inner (inlined)  toy.c:11 {', '      h  toy.c:30', '    } inner',
      '    g  toy.c:20', '  } outer', '  g  toy.c:20', '} main (still running)',
    ],
  },
  {
    name: 'what a later round calls for the first time is shown, with the way to it',
    functions: [
      main((a) => a.emit(0xb9, ...u32(3)).label('again').call('f').emit(0xff, 0xc9).jnz('again')),
      { name: 'f', body: (a) => a.call('g').emit(0x83, 0xf9, 0x01).jnz('skip').call('h').label('skip').ret() },
      leaf('g'),
      leaf('h'),
    ],
    tree: ['main  toy.c:10 {', '  f  toy.c:20 {', '    g  toy.c:30', '  } f', '  f  toy.c:20 {', '    h  toy.c:40', '  } f', '  ... f', '} main (still running)'],
  },
]; // prettier-ignore

describe('the text tree', () => {
  test.each(cases)('$name', (c) => {
    expect(tree(run(c.functions).lines)).toEqual(c.tree);
  });

  test('instructions are inclusive and counted from the first instruction of the callee to its return', () => {
    const { lines } = run([main((a) => a.call('f')), { name: 'f', body: (a) => a.call('g').ret() }, leaf('g')]);
    const counts = lines
      .filter((l) => /\| +(} f|g)/.test(l))
      .map((l) => [
        l
          .slice(l.indexOf('|') + 1)
          .trim()
          .split(/ {2}/)[0],
        Number(l.slice(15, 30)),
      ]);
    expect(counts).toEqual([['g', 2], ['} f', 4]]); // prettier-ignore
  });

  test('--only shows the functions asked for each time, and repetitions as a count', () => {
    const functions = [main((a) => a.call('f').call('g').call('g').call('f')), { name: 'f', body: (a: Asm) => a.call('g').ret() }, leaf('g')];
    expect(tree(run(functions, { only: ['g'] }).lines)).toEqual(['g x 4']);
    expect(tree(run(functions, { only: ['f', '?'] }).lines)).toEqual([
      'f  toy.c:20 {',
      '  g  toy.c:30',
      '} f',
      'g x 2',
      'f  toy.c:20 {',
      '  g  toy.c:30',
      '} f',
    ]);
    expect(tree(run(functions, { only: ['nothing'] }).lines)).toEqual([]);
  });

  test('--only finds inlined calls', () => {
    const inlined = [{ name: 'in', from: 'a', to: 'b' }];
    const functions: ToyFunction[] = [{ name: 'main', body: (a) => a.call('g').label('a').call('g').label('b').call('g').hlt(), inlined }, leaf('g')];
    expect(tree(run(functions, { only: ['in'] }).lines)).toEqual(['in (inlined)  toy.c:10']);
  });

  test('--until stops the machine where the function is entered', () => {
    const functions = [main((a) => a.call('f').call('h')), { name: 'f', body: (a: Asm) => a.call('g').call('h').ret() }, leaf('g'), leaf('h')];
    const { lines, tracer } = run(functions, { until: 'g' });
    expect(tracer.reached).toBe(true);
    expect(lines.join('\n')).not.toContain(' h ');
    expect(run(functions, { until: 'nothing' }).tracer.reached).toBe(false);
  });
});

describe('damage', () => {
  test('endless recursion does not grow without bounds', () => {
    const { lines } = run([main((a) => a.call('r')), { name: 'r', body: (a) => a.call('r') }], { format: 'ndjson' }, 60_000);
    const records = lines.map((l) => JSON.parse(l) as TraceRecord);
    expect(records.filter((r) => r.event === 'call').length).toBeGreaterThan(50_000);
    expect(records.filter((r) => r.event === 'return' && r.lost).length).toBeGreaterThan(50_000);
  });

  test('endless new stacks do not grow without bounds', () => {
    // Each round takes a new stack and "returns" to the function again.
    const body = (a: Asm): Asm =>
      a
        .emit(0x48, 0x81, 0xc4, ...u32(0x4000))
        .movEax('t')
        .emit(0x48, 0x89, 0x04, 0x24)
        .call('g')
        .emit(0x90)
        .ret();
    const { lines } = run([main((a) => a.call('t')), { name: 't', body }, leaf('g')], { format: 'ndjson' }, 3_000);
    const stacks = lines.map((l) => JSON.parse(l) as TraceRecord).filter((r) => r.event === 'stack');
    expect(stacks.length).toBeLessThan(400);
  });
});
