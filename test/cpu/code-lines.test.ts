import { describe, expect, it } from 'vitest';
import { CodeLines } from '../../src/machine/memory/code-lines.ts';
import { PageMark } from '../../src/machine/cpu/mmu/locate.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE } from '../support/bare-machine.ts';

const PAGE = CODE / 4096;

/** Runs code at CODE with RSI = the address of the test's data. */
function run(code: readonly number[], steps: number, rsi = 0): Machine {
  const machine = bareMachine();
  machine.memory.poke(CODE, Uint8Array.from(code));
  machine.cpus[0]!.setGpr(6, BigInt(rsi));
  machine.run(steps);
  return machine;
}

describe('CodeLines', () => {
  it.each([
    [0, 1, 0, 1, true],
    [0, 8, 8, 12, false],
    [8, 16, 7, 9, true],
    [8, 16, 0, 8, false],
    [8, 16, 15, 16, true],
    [8, 16, 16, 24, false],
    [4090, 4110, 4095, 4096, true],
    [0, 4096, 2048, 2049, true],
  ])('decoded from %i to %i: a write from %i to %i touches it: %s', (from, to, first, end, expected) => {
    const lines = new CodeLines();
    expect(lines.covers(first, end)).toBe(false);
    lines.cover(from, to);
    expect(lines.covers(first, end)).toBe(expected);
    lines.clear();
    expect(lines.covers(first, end)).toBe(false);
  });
  it('is abandoned only while nothing is decoded, after many writes', () => {
    const lines = new CodeLines();
    lines.cover(0, 10);
    for (let n = 0; n < 200; n++) expect(lines.abandoned).toBe(false);
    lines.clear();
    for (let n = 0; n < 64; n++) expect(lines.abandoned).toBe(false);
    expect(lines.abandoned).toBe(true);
  });
});

describe('writes to a page with code', () => {
  it('beside the code: the code stays decoded, the write is direct', () => {
    // 1: inc dword [rsi]; inc eax; jmp 1b
    const machine = run([0xff, 0x06, 0xff, 0xc0, 0xeb, 0xfa], 3000, CODE + 0x800);
    expect(machine.memory.read(CODE + 0x800, 4)).toBe(1000);
    expect(machine.runner.finder.pages.stats.invalidations).toBe(0);
  });
  it('into the code: each change is executed', () => {
    // 1: inc dword [rip+1] (the immediate of the next); mov ebx, 0; add ecx, ebx; jmp 1b
    const machine = run([0xff, 0x05, 0x01, 0, 0, 0, 0xbb, 0, 0, 0, 0, 0x01, 0xd9, 0xeb, 0xf1], 4 * 1000);
    expect(machine.cpus[0]!.gpr32(1)).toBe((1000 * 1001) / 2);
    expect(machine.runner.finder.pages.stats.invalidations).toBeGreaterThanOrEqual(1000);
  });
  it('by DMA: into the code only', () => {
    // 1: mov ebx, 5; jmp 1b
    const machine = run([0xbb, 5, 0, 0, 0, 0xeb, 0xf9], 200);
    machine.memory.poke(CODE + 0x900, Uint8Array.of(1, 2, 3));
    expect(machine.runner.finder.pages.stats.invalidations).toBe(0);
    machine.memory.poke(CODE + 1, Uint8Array.of(7));
    machine.run(200);
    expect(machine.cpus[0]!.gpr32(3)).toBe(7);
  });
  it('a page that held code and now holds data is no code page any more', () => {
    // mov byte [rsi+...]: the first instruction is overwritten, then the page is written again and again from elsewhere.
    const machine = bareMachine();
    const other = CODE + 0x1000;
    machine.memory.poke(CODE, Uint8Array.from([0xe9, 0xfb, 0x0f, 0, 0])); // jmp other
    machine.memory.poke(other, Uint8Array.from([0xff, 0x06, 0xeb, 0xfc])); // 1: inc dword [rsi]; jmp 1b
    machine.cpus[0]!.setGpr(6, BigInt(CODE));
    machine.run(100);
    expect(machine.memory.pageMarks[PAGE]! & PageMark.code).not.toBe(0);
    machine.run(1000);
    expect(machine.memory.pageMarks[PAGE]! & PageMark.code).toBe(0);
    expect(machine.memory.codeLines.has(PAGE)).toBe(false);
  });
  it('a watchpoint beside the code is met', () => {
    const machine = bareMachine();
    machine.memory.poke(CODE, Uint8Array.from([0xff, 0xc0, 0xff, 0x06, 0xeb, 0xfa])); // 1: inc eax; inc dword [rsi]; jmp 1b
    machine.cpus[0]!.setGpr(6, BigInt(CODE + 0x100));
    machine.run(300);
    machine.addWatchpoint({ address: BigInt(CODE + 0x100), length: 4, access: 'write' });
    expect(machine.run(1000).kind).toBe('watchpoint');
  });
});

describe('an instruction executed alone', () => {
  it('is decoded once and found again, and carries a breakpoint set later', () => {
    // sti; 1: inc eax; dec ecx; cli; sti; jmp 1b: the instruction after STI is executed alone.
    const machine = run([0xfb, 0xff, 0xc0, 0xff, 0xc9, 0xfa, 0xfb, 0xeb, 0xf8], 1000);
    const id = machine.addBreakpoint({ linear: BigInt(CODE + 7) });
    const reason = machine.run(1000);
    expect(reason).toMatchObject({ kind: 'breakpoint', id });
    expect(machine.cpus[0]!.rip).toBe(BigInt(CODE + 7));
  });
  it('sees that its bytes were changed', () => {
    // 1: sti; mov ebx, 0 (alone, in the shadow); inc dword [rip-9]...: the immediate changes in each round
    const code = [0xfa, 0xfb, 0xbb, 0, 0, 0, 0, 0x01, 0xd9, 0xff, 0x05, 0xf4, 0xff, 0xff, 0xff, 0xeb, 0xef];
    const machine = run(code, 6 * 100);
    expect(machine.cpus[0]!.gpr32(1)).toBe((99 * 100) / 2);
  });
});
