import { describe, expect, it } from 'vitest';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { CODE, DATA } from '../support/bare-machine.ts';
import { guestMachine, runTo } from '../support/guest-machine.ts';
import { compare, cpuState, EAGER, numbers, pair } from './pair.ts';

const SPLIT = 0x9000;

const le32 = (v: number): string => Buffer.from(Int32Array.of(v).buffer).toString('hex');

/** The page at CODE + 0x1000 gets an entry of its own: a table for the first 2 MiB, at SPLIT. */
function split(m: Machine): void {
  for (let n = 0; n < 512; n++) m.memory.write64(SPLIT + n * 8, BigInt(n * 4096) | 3n);
  m.memory.write64(SPLIT + 0x101 * 8, 0x30_0003n);
  m.memory.write64(0x3000, BigInt(SPLIT) | 7n);
}

describe('loops', () => {
  it.each([
    // add eax, 1; inc ecx; test ecx, 63; jnz -; inc byte [the immediate]; jmp -
    ['whose body changes itself', '83c001ffc1f7c13f00000075f3fe05efffffffebeb'],
    // direct and indirect calls, a function with two callers, recursion
    ['with calls', '4c8d2534000000bd01000000bf07000000e82e00000041ffd4e81d00000083c501f7c50300000074094c8d250e000000ebda4c8d2502000000ebd101e8c329f8c1c803c3ffcf780a57e8f6ffffff5f6bc00501f8c3'],
    // flags that live across blocks, shifts by CL, INC and DEC that keep the carry, ADC, conditions of all kinds
    ['with flags', 'b9210000004801c241ffc04183d10349ffca4c19d848d3e272077005488d4450057902d3f80f9ac349d1d338c37e0341d3c110f89f0fa3ca4c0f42e2e2c7ebc0'],
    // in al, dx; rdtsc; pushf; pop rdi; cpuid; a branch
    ['with instructions written in TypeScript', 'ba80000000ec0f314801c69c5f0fa24831de4839f7720349ffc149ffc0ebe1'],
    ['over memory', '48ffc0488904ceffc181e1ff030000ebef'],
  ])('%s are the same in both tiers at every count', (_, hex) => compare(pair({ 0: hex }), 300, 1500)); // prettier-ignore

  it('that meet a page fault leave everything as before the instruction', () => {
    // 1: add eax, edi; mov [rdi], eax; add rdi, 12; adc edx, 7; cmp eax, 0x12345678; jne 1b: until the end of what is mapped
    const both = pair({ 0: 'bf00007f0001f889074883c70c83d2073d7856341275ee' }, (m) => m.memory.write64(0x3000 + 4 * 8, 0n));
    const reasons = [both.interpreted, both.compiled].map((m) => m.run(1_000_000).kind);
    expect(reasons).toEqual(['triple-fault', 'triple-fault']);
    expect(cpuState(both.compiled)).toEqual(cpuState(both.interpreted));
    expect(both.compiled.cpus[0]!.cr2).toBe(0x80_0008n);
    expect(both.compiled.runner.regions.instructions).toBeGreaterThan(10_000);
  });

  it('are interrupted by the timer at its odd counts', () => {
    const gate = (BigInt(CODE + 0x100) & 0xffffn) | (8n << 16n) | (0x8e00n << 32n) | (((BigInt(CODE + 0x100) >> 16n) & 0xffffn) << 48n);
    const both = pair(
      {
        0: 'bb0000e0fec783f0000000ff010000c783e00300000b000000c7832003000040000200c78380030000d5040000fbb9c80000004801c8486bc0034831d04889460848135608ffc975ea49ffc0ebe0',
        0x100: '5049ffc14d01c2c783b00000000000000058 48cf',
      },
      (m) => {
        m.memory.write64(0x4000 + 0x40 * 16, gate);
        m.cpus[0]!.setU64(0x390, 0x4000n);
        m.cpus[0]!.setU32(0x398, 0xfff);
        // The local APIC lies in the fourth GiB.
        m.memory.write64(0x2000 + 3 * 8, 0x6007n);
        m.memory.write64(0x6000 + 0x1f7 * 8, 0xfee0_009bn);
      },
    );
    compare(both, 200, 3000);
    expect(both.compiled.cpus[0]!.gpr(9), 'interrupts').toBeGreaterThan(20n);
  });

  it('in 32-bit and in compatibility mode', () => {
    // 1: add eax, [esi]; push eax; inc ecx; pop [esi+4]; mov [esi+ecx*4+8], eax; and ecx, 255; call 2f; jmp 1b; 2: ror eax, 3; ret
    const hex = '0306 50 41 8f4604 89448e08 81e1ff000000 e802000000 ebea c1c803 c3';
    const both = pair({ 0: hex }, (m) => setCodeSegment(m.cpus[0]!, 8, 0n, 0xffff_ffff, 0xc09b, 0));
    expect(both.compiled.cpus[0]!.code64).toBe(false);
    compare(both, 200, 1500);
  });
});

describe('a loop in two pages', () => {
  // The instructions before the end of a page, those after it, and a branch back of 32 bits.
  it.each([
    ['entered at its head', 0xff9, 'ffc0 01c2 ffc1 90 31c8 0fcb e9f0ffffff'],
    ['entered through code before it, so that its head is no block at first', 0xff0, 'b805000000 ffc0 01c2 ffc1 9090909090 31c8 0fcb e9ecffffff'],
    ['with a conditional branch back', 0xff9, 'ffc0 01c2 ffc1 90 31c8 83e803 0f85eeffffff ebf3'],
  ])('%s is compiled', (_, at, hex) => {
    const both = pair({ 0: `e9${le32(at - 5)}`, [at]: hex });
    compare(both, 100, 3000);
    const { instructions } = both.compiled.runner.regions;
    expect(instructions).toBeGreaterThan(100_000);
  });
});

describe('a page that changes its place', () => {
  it('by MOV to CR3', () => {
    const other = (m: Machine): void => {
      m.memory.write64(0x9000, 0xa007n);
      m.memory.write64(0xa000, 0xb007n);
      for (let n = 0; n < 512; n++) m.memory.write64(0xb000 + n * 8, BigInt(n << 21) | 0x87n);
      m.memory.write64(0xb000 + 4 * 8, 0xa0_0087n); // 0x800000
      m.memory.poke(0x80_0000, Uint8Array.from([0x01, 0xc8, 0xc3])); // add eax, ecx; ret
      m.memory.poke(0xa0_0000, Uint8Array.from([0x31, 0xc8, 0x6b, 0xc0, 0x03, 0xc3])); // xor eax, ecx; imul eax, eax, 3; ret
    };
    compare(pair({ 0: '41bc0000800041bd0010000041be00900000b9f401000041ffd4ffc975f94d87ee410f22dd49ffc0ebe8' }, other), 200, 2500);
  });

  it('by INVLPG', () => {
    const both = pair({ 0: 'bb0898000041bd0310300041be03003000b9f4010000e9e50f0000ffc975f74d87ee4c892b0f013c250010100049ffc0ebdf' }, (m) => {
      split(m);
      m.memory.poke(0x30_0000, Uint8Array.from(Buffer.from('4883c001e912f0ffff', 'hex'))); // add rax, 1; jmp back
      m.memory.poke(0x30_1000, Uint8Array.from(Buffer.from('4883c064e912f0ffff', 'hex'))); // add rax, 100; jmp back
    });
    compare(both, 200, 2500);
  });
});

describe('what a debugger asks for while a loop is hot', () => {
  // 1: inc rax; mov [rsi+rcx*8], rax; inc ecx; and ecx, 1023; jmp 1b
  const LOOP = { 0: '48ffc0488904ceffc181e1ff030000ebef' };

  it('a breakpoint stops at the next pass, and is gone when removed', () => {
    const { compiled } = pair(LOOP);
    compiled.run(100_000);
    const id = compiled.addBreakpoint({ linear: BigInt(CODE + 7) });
    expect(compiled.run(100_000)).toEqual({ kind: 'breakpoint', cpu: 0, id });
    expect(compiled.cpus[0]!.rip).toBe(BigInt(CODE + 7));
    const before = compiled.cpus[0]!.gpr(0);
    expect(compiled.run(100_000).kind).toBe('breakpoint');
    expect(compiled.cpus[0]!.gpr(0)).toBe(before + 1n);
    compiled.removeBreakpoint(id);
    const executed = compiled.runner.regions.instructions;
    expect(compiled.run(100_000).kind).toBe('quantum');
    expect(compiled.runner.regions.instructions - executed).toBeGreaterThan(90_000);
  });

  it('a watchpoint stops after the access, and costs nothing when removed', () => {
    const { compiled } = pair(LOOP);
    compiled.run(100_000);
    const id = compiled.addWatchpoint({ access: 'write', address: BigInt(DATA + 512 * 8), length: 8 });
    expect(compiled.run(100_000).kind).toBe('watchpoint');
    expect(compiled.cpus[0]!.gpr(1) & 1023n).toBe(512n);
    compiled.removeWatchpoint(id);
    compiled.run(20_000);
    const executed = compiled.runner.regions.instructions;
    compiled.run(100_000);
    expect(compiled.runner.regions.instructions - executed).toBeGreaterThan(90_000);
  });

  it('single steps and writes from outside', () => {
    const both = pair(LOOP);
    compare(both, 60, 3000, (m, n) => {
      for (let k = 0; k < n % 5; k++) m.step(0);
      if (n % 7 === 3) m.memory.poke(CODE + 2, Uint8Array.from([n % 2 ? 0xc0 : 0xc2])); // inc rax or inc rdx
    });
  });
});

describe('a loop whose accesses miss the TLB', () => {
  // 1: inc eax; mov [rsi], eax; add [rsi+0x400000], rax; xor rdx, [rsi+0x800000]; add rsi, rdi; jmp 1b: three pages with the same entry
  const LOOP = { 0: 'ffc0 8906 48018600004000 4833 9600008000 4801fe ebe9' };

  it('goes on in its region', () => {
    const both = pair(LOOP);
    compare(both, 100, 3000);
    const executed = both.compiled.runner.regions.instructions;
    compare(both, 20, 3000);
    const { instructions, stats } = both.compiled.runner.regions;
    expect(stats.givenUp).toBe(0);
    expect(instructions - executed, 'a region is entered at the beginning of a run, and left at its end').toBeGreaterThan(20_000);
  });

  it('leaves it for a page fault, with everything as before the instruction', () => {
    const both = pair(LOOP, (m) => {
      m.cpus[0]!.setGpr(7, 0x20n);
      m.memory.write64(0x3000 + 7 * 8, 0n);
    });
    const reasons = [both.interpreted, both.compiled].map((m) => m.run(1_000_000).kind);
    expect(reasons).toEqual(['triple-fault', 'triple-fault']);
    expect(cpuState(both.compiled)).toEqual(cpuState(both.interpreted));
    expect(both.compiled.cpus[0]!.cr2).toBe(0xe0_0000n);
  });

  it.each([
    ['code, which the write changes', CODE + 14],
    ['data beside code', CODE + 0x800],
    ['two pages', DATA + 0xffe],
    ['a device', 0x40_0030],
  ])('and meets an access to %s', (_, address) => {
    const both = pair(LOOP, (m) => m.memory.write64(0x3000 + 6 * 8, 0xfee0_0087n));
    compare(both, 60, 3000, (m, n) => {
      if (n === 30) m.cpus[0]!.setGpr(6, BigInt(address));
    });
  });

  it('sees a watchpoint', () => {
    const { compiled } = pair(LOOP);
    compiled.run(100_000);
    const id = compiled.addWatchpoint({ access: 'read', address: BigInt(DATA + 0x80_0000), length: 8 });
    expect(compiled.run(100_000).kind).toBe('watchpoint');
    compiled.removeWatchpoint(id);
    expect(compiled.run(100_000).kind).toBe('quantum');
  });
});

describe('bounds', () => {
  it('with room for one region only, the oldest goes and comes back', () => {
    // two loops by turns: 1: mov ecx, 200; 2: add eax, ecx; dec ecx; jnz 2b; mov ecx, 200; 3: xor eax, ecx; dec ecx; jnz 3b; jmp 1b
    const both = pair({ 0: 'b9c8000000 01c8 ffc9 75fa b9c8000000 31c8 ffc9 75fa ebe8' }, undefined, { ...EAGER, maxBytes: 1 });
    compare(both, 100, 3000);
    expect(both.compiled.runner.regions.regions).toBeLessThanOrEqual(1);
    expect(both.compiled.runner.regions.stats.evictions).toBeGreaterThan(5);
  });
});

describe('the embedded guest: firmware, VMX root and a guest with EPT', () => {
  it.each([1, 2])('%i CPU(s): the same state at odd counts', (smp) => {
    const machines = [{ mode: 'interp' } as const, EAGER].map((accel) => guestMachine({ smp, accel }).machine);
    const random = numbers(smp);
    for (let count = 0n; count < 1_500_000n;) {
      count += BigInt(50_000 + (random.next().value % 100_000));
      for (const m of machines) runTo(m, count);
      for (let n = 0; n < smp; n++) expect(cpuState(machines[1]!, n), `CPU ${n} after ${count}`).toEqual(cpuState(machines[0]!, n));
    }
    expect(machines[1]!.runner.regions.stats.compiles).toBeGreaterThan(5);
  });
});
