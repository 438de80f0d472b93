import { describe, expect, it } from 'vitest';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE } from '../support/bare-machine.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

function machineWith(hex: string): Machine {
  const machine = bareMachine();
  machine.memory.poke(CODE, bytes(hex));
  const cpu = machine.cpus[0]!;
  cpu.setGpr(6, 0x30_0000n);
  cpu.setGpr(7, 0x30_1000n);
  return machine;
}

const state = (m: Machine): unknown => {
  const cpu = m.cpus[0]!;
  return { gpr: Array.from({ length: 16 }, (_, n) => cpu.gpr(n)), rip: cpu.rip, flags: cpu.rflags, retired: cpu.retired, now: m.clock.now() };
};

/**
 * Every kind of block, in an endless loop: mov ecx, 5; 1: call 2f; add rax, rcx; rep movsq; cpuid; add ebx, 7; xor ecx, ecx; inc ecx;
 * lea esi; lea edi; jmp 4f (the next page); 2: push rax; cmp ecx, 3; jl 3f; nop; 3: pop rax; ret.
 */
const PROGRAM = 'b905000000 e822000000 4801c8 f348a5 0fa2 83c307 31c9 ffc1 8d342500003000 8d3c2500103000 e914100000 50 83f903 7c01 90 58 c3';
/** 4: xor ecx, ecx; add ecx, 5; jmp 1b. */
const NEXT_PAGE = '31c9 83c105 e9bbefffff';

describe('exact counts', () => {
  it('running in pieces of any size is running at once', () => {
    const total = 300;
    const whole = machineWith(PROGRAM);
    whole.memory.poke(CODE + 0x1040, bytes(NEXT_PAGE));
    const first = whole.snapshot();
    whole.run(total);
    const expected = state(whole);
    expect(whole.cpus[0]!.retired).toBe(BigInt(total));
    for (let piece = 1; piece < 120; piece++) {
      whole.restore(first);
      for (let left = total; left > 0; left -= piece) whole.run(Math.min(piece, left));
      expect(state(whole), `in pieces of ${piece}`).toEqual(expected);
    }
    whole.restore(first);
    for (let n = 0; n < total; n++) whole.step(0);
    expect(state(whole), 'in single steps').toEqual(expected);
  });
});

describe('self-modifying code', () => {
  it.each([
    // mov byte [rip+1], 2: changes the immediate of the next instruction, mov eax, 1
    ['the next instruction in the same block', 'c605 01000000 02 b801000000 f4', 2n],
    // 1: mov eax, 1; inc ebx; cmp ebx, 2; je 2f; mov byte [1b + 1], 7; jmp 1b; 2: hlt
    ['an instruction executed before, in a loop', 'b801000000 ffc3 83fb02 7409 c605eeffffff07 ebeb f4', 7n],
  ])('%s', (_name, hex, expected) => {
    const machine = machineWith(hex);
    machine.run(1000);
    expect(machine.cpus[0]!.gpr(0)).toBe(expected);
    expect(machine.cpus[0]!.activity).toBe(1);
  });

  it('REP STOSB over the instructions behind it', () => {
    // mov al, f4; mov ecx, 2; lea rdi, [rip+2]; rep stosb; then two bytes that were "inc ebx"
    const machine = machineWith('b0f4 b902000000 488d3d02000000 f3aa ffc3 ffc3 f4');
    machine.run(1000);
    expect(machine.cpus[0]!.gpr(3)).toBe(0n);
    expect(machine.cpus[0]!.activity).toBe(1);
    expect(machine.cpus[0]!.rip).toBe(BigInt(CODE + 17));
  });

  it('a write from outside (DMA, a debugger) is seen', () => {
    const machine = machineWith('ffc0 ebfc'); // 1: inc eax; jmp 1b
    machine.run(1000);
    machine.memory.poke(CODE, bytes('ffc3')); // inc ebx
    const before = machine.cpus[0]!.gpr(0);
    machine.run(1000);
    expect(machine.cpus[0]!.gpr(0) - before).toBeLessThan(2n);
    expect(machine.cpus[0]!.gpr(3)).toBeGreaterThan(400n);
  });

  it('an instruction across two pages follows a change of either', () => {
    const machine = machineWith('');
    const cpu = machine.cpus[0]!;
    const at = CODE + 0xffd;
    machine.memory.poke(at, bytes('b811111111 ebf9')); // 1: mov eax, 0x11111111; jmp 1b
    cpu.rip = BigInt(at);
    machine.run(100);
    expect(cpu.gpr(0)).toBe(0x1111_1111n);
    machine.memory.poke(CODE + 0x1000, bytes('22'));
    machine.run(100);
    expect(cpu.gpr(0)).toBe(0x1122_1111n);
    machine.memory.poke(CODE + 0xffe, bytes('33'));
    machine.run(100);
    expect(cpu.gpr(0)).toBe(0x1122_1133n);
  });
});
