import { describe, expect, it } from 'vitest';
import { CR4 } from '../../src/machine/cpu/cpu.ts';
import { setBreakpointRegister } from '../../src/machine/cpu/debug-registers.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE, DATA, STACK } from '../support/bare-machine.ts';

const IDT = 0x6000;
const HANDLERS = 0x7000;

/** 64-bit code at CODE, and handlers that halt: the exception is seen by where the CPU stands. */
function machineWith(hex: string): Machine {
  const machine = bareMachine();
  const { memory } = machine;
  memory.poke(CODE, Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')));
  for (let n = 0; n < 32; n++) {
    memory.write64(IDT + n * 16, (0x8en << 40n) | (8n << 16n) | BigInt(HANDLERS + n * 16));
    memory.write(HANDLERS + n * 16, 1, 0xf4);
  }
  const cpu = machine.cpus[0]!;
  cpu.setU64(L.IDTR_BASE, BigInt(IDT));
  cpu.setU32(L.IDTR_LIMIT, 0x1ff);
  cpu.setGpr(3, BigInt(DATA));
  cpu.setGpr(6, BigInt(DATA));
  cpu.setGpr(7, BigInt(DATA + 0x100));
  cpu.setGpr(1, 5n);
  return machine;
}

interface Seen {
  /** Vector of the handler reached; undefined: the program halted by itself. */
  readonly vector: number | undefined;
  /** Offset in the program of the return address. */
  readonly at: number | undefined;
  readonly dr6: number;
}

function runProgram(machine: Machine): Seen {
  const cpu = machine.cpus[0]!;
  machine.run(200);
  expect(cpu.activity).toBe(1);
  const handler = Number(cpu.rip) - 1 - HANDLERS;
  const dr6 = Number(cpu.dr(6)) & 0xe00f;
  if (handler < 0 || handler >= 512) return { vector: undefined, at: undefined, dr6 };
  const top = cpu.rsp + (handler / 16 === 13 || handler / 16 === 14 ? 8n : 0n);
  return { vector: handler / 16, at: Number(machine.memory.read64(Number(top))) - CODE, dr6 };
}

/** R/W and LEN of DR0, and its local enable. */
const dr7 = (kind: number, length: number): bigint => BigInt(0x401 | (kind << 16) | ({ 1: 0, 2: 1, 4: 3, 8: 2 }[length]! << 18));
const [WRITE, IO, READ_WRITE] = [1, 2, 3];
const none = { vector: undefined, at: undefined, dr6: 0 };
const trap = (at: number, dr6 = 1): Seen => ({ vector: 1, at, dr6 });

describe('data breakpoints: SDM Vol. 3, 18.3.1.2', () => {
  it.each<readonly [string, string, number, number, number, Seen]>([
    ['a write hits a write breakpoint, after the instruction', '90 c60301 90 f4', WRITE, 1, DATA, trap(4)],
    ['a read does not', '90 8a03 90 f4', WRITE, 1, DATA, none],
    ['a read hits a read/write breakpoint', '90 8a03 90 f4', READ_WRITE, 1, DATA, trap(3)],
    ['a write hits it too', 'c60301 90 f4', READ_WRITE, 1, DATA, trap(3)],
    ['fetching does not', '90 f4', READ_WRITE, 1, CODE, none],
    ['low address bits are ignored with LEN 4', 'c60301 f4', WRITE, 4, DATA + 3, trap(3)],
    ['and with LEN 8', 'c60301 f4', WRITE, 8, DATA + 7, trap(3)],
    ['the byte after the range does not hit', 'c6430401 f4', WRITE, 4, DATA, none],
    ['the byte before does not hit', 'c643ff01 f4', WRITE, 4, DATA, none],
    ['a larger access that overlaps hits', '488943fc f4', WRITE, 1, DATA, trap(4)],
    ['an access over two pages hits in the second', '488943fc f4', WRITE, 1, DATA + 3, trap(4)],
    ['a push hits', '50 f4', WRITE, 8, STACK - 8, trap(1)],
    ['the pushed return address hits, at the target', 'e801000000 90 90 f4', WRITE, 8, STACK - 8, trap(6)],
    ['an iteration of REP MOVSB hits, at the instruction', 'f3a4 f4', READ_WRITE, 1, DATA + 2, trap(0)],
    ['the last iteration hits after the instruction', 'f3a4 f4', READ_WRITE, 1, DATA + 4, trap(2)],
    ['an instruction that modifies hits once', '8003 01 90 f4', READ_WRITE, 1, DATA, trap(3)],
    ['LGDT and its like hit', '0f0103 90 f4', READ_WRITE, 1, DATA, trap(3)],
    ['after MOV SS from the data, one instruction later', '8e13 90 90 f4', READ_WRITE, 2, DATA, trap(3)],
    ['after MOV SS, INT3 comes first and its handler traps', '8e13 cc f4', READ_WRITE, 2, DATA, { vector: 1, at: HANDLERS + 3 * 16 - CODE, dr6: 1 }],
    ['after MOV SS, INT1 takes the cause along', '8e13 f1 f4', READ_WRITE, 2, DATA, trap(3)],
  ])('%s', (_, program, kind, length, address, expected) => {
    const machine = machineWith(program);
    const cpu = machine.cpus[0]!;
    machine.memory.write(DATA, 2, 0x10);
    setBreakpointRegister(cpu, 0, BigInt(address));
    setBreakpointRegister(cpu, 7, dr7(kind, length));
    expect(runProgram(machine)).toEqual(expected);
  });

  it('an instruction that hits and then faults does not trap', () => {
    const machine = machineWith('a4 f4');
    const cpu = machine.cpus[0]!;
    setBreakpointRegister(cpu, 0, BigInt(DATA));
    setBreakpointRegister(cpu, 7, dr7(READ_WRITE, 1));
    cpu.setGpr(7, 0x8000_0000_0000_0000n);
    expect(runProgram(machine)).toEqual({ vector: 13, at: 0, dr6: 0 });
  });

  it('set by the program for a page that it has used before', () => {
    // mov [rbx], eax; mov dr0, rbx; mov eax, d0401h (write, 4 bytes); mov dr7, rax; nop; mov [rbx], eax
    const machine = machineWith('8903 0f23c3 b801040d00 0f23f8 90 8903 90 f4');
    expect(runProgram(machine)).toEqual(trap(16));
  });

  it('disabled, nothing is hit', () => {
    const machine = machineWith('c60301 f4');
    setBreakpointRegister(machine.cpus[0]!, 0, BigInt(DATA));
    setBreakpointRegister(machine.cpus[0]!, 7, dr7(WRITE, 1) & ~1n);
    expect(runProgram(machine)).toEqual(none);
  });

  it('several causes at once; old B bits go, BS stays', () => {
    const machine = machineWith('90 c60301 90 f4');
    const cpu = machine.cpus[0]!;
    for (const n of [0, 2]) setBreakpointRegister(cpu, n, BigInt(DATA));
    setBreakpointRegister(cpu, 7, 0x0111_0433n);
    cpu.setDr(6, 0xffff_4ff2n);
    expect(runProgram(machine)).toEqual(trap(4, 0x4005));
  });

  it('all of it in runs of one instruction at a time', () => {
    const machine = machineWith('90 c60301 90 f4');
    setBreakpointRegister(machine.cpus[0]!, 0, BigInt(DATA));
    setBreakpointRegister(machine.cpus[0]!, 7, dr7(WRITE, 1));
    for (let n = 0; n < 3; n++) machine.run(1);
    expect(runProgram(machine)).toEqual(trap(4));
  });
});

describe('I/O breakpoints: SDM Vol. 3, 18.3.1.2', () => {
  it.each<readonly [string, string, number, number, Seen]>([
    ['OUT', 'e680 90 f4', CR4.DE, 0x80, trap(2)],
    ['IN', 'e480 90 f4', CR4.DE, 0x80, trap(2)],
    ['a dword from below', 'e57e 90 f4', CR4.DE, 0x80, trap(2)],
    ['another port', 'e681 90 f4', CR4.DE, 0x80, none],
    ['without CR4.DE', 'e680 90 f4', 0, 0x80, none],
    ['memory at the same address', '6789042580000000 90 f4', CR4.DE, 0x80, none],
  ])('%s', (_, program, de, port, expected) => {
    const machine = machineWith(program);
    const cpu = machine.cpus[0]!;
    cpu.cr4 |= BigInt(de);
    setBreakpointRegister(cpu, 0, BigInt(port));
    setBreakpointRegister(cpu, 7, dr7(IO, 1));
    expect(runProgram(machine)).toEqual(expected);
  });
});

describe('the trap flag on a repeated string instruction: SDM Vol. 3, 18.3.1.4', () => {
  it('traps after each iteration, with RF in the image but after the last', () => {
    const machine = machineWith('f3a4 f4');
    const cpu = machine.cpus[0]!;
    cpu.setGpr(1, 3n);
    cpu.rflags |= 0x100;
    const images: string[] = [];
    for (let n = 0; n < 3; n++) {
      machine.run(3); // the iteration, the trap, HLT in the handler
      const word = (at: number): number => Number(machine.memory.read64(Number(cpu.rsp) + at));
      images.push(`${word(0) - CODE} ${(word(16) & 0x1_0000) !== 0 ? 'RF' : '-'} rcx ${cpu.gpr(1)}`);
      machine.memory.write(HANDLERS + 16, 2, 0xcf48); // iretq
      cpu.activity = 0;
      cpu.rip = BigInt(HANDLERS + 16);
      machine.run(1);
      machine.memory.write(HANDLERS + 16, 1, 0xf4);
    }
    expect(images).toEqual(['0 RF rcx 2', '0 RF rcx 1', '2 - rcx 0']);
  });
});

describe('instruction breakpoints: SDM Vol. 3, 18.3.1.1', () => {
  it.each<readonly [string, string, number, number, Seen]>([
    ['before the instruction', '90 90 f4', 1, 0, trap(1)],
    ['not with RF', '90 f4', 0, 0x1_0000, none],
    ['RF ends after one instruction', '90 90 f4', 1, 0x1_0000, trap(1)],
    ['not after MOV SS', '8e13 90 f4', 2, 0, none],
    ['once for a repeated instruction, after RF', 'f3a4 90 f4', 0, 0x1_0000, none],
    ['again for a jump to itself', 'eb00 ebfc f4', 0, 0x1_0000, trap(0)],
    ['not inside an instruction', 'b890909090 f4', 1, 0, none],
  ])('%s', (_, program, offset, flags, expected) => {
    const machine = machineWith(program);
    const cpu = machine.cpus[0]!;
    cpu.rflags |= flags;
    machine.memory.write(DATA, 2, 0x10);
    setBreakpointRegister(cpu, 0, BigInt(CODE + offset));
    setBreakpointRegister(cpu, 7, 0x401n);
    expect(runProgram(machine)).toEqual(expected);
  });
});
