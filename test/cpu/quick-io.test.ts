import { describe, expect, it } from 'vitest';
import { CR4, Flag, VmxMode, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE } from '../support/bare-machine.ts';
import { bytes, cpuState, pair, compare } from './pair.ts';
import { quickCases, TSS } from './quick-cases.ts';

const dx = (port: number) => (cpu: Cpu) => cpu.setGpr(2, (cpu.gpr(2) & ~0xffffn) | BigInt(port));

/** IRQ 4 of the first PIC comes as vector 12 when the transmitter is empty. */
function uartInterrupts(cpu: Cpu, _: () => bigint, { ports }: Machine): void {
  for (const [port, value] of [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xef], [0x3fc, 8]] as const) ports.write(port, 1, value); // prettier-ignore
  dx(0x3f9)(cpu);
  cpu.setGpr(0, 2n);
  cpu.sysflags |= Flag.IF;
}

describe('IN and OUT: quick and general', () => {
  quickCases([
    { name: 'IN AL, imm8', code: 'e4 61', row: 'in_imm' },
    { name: 'IN AX, imm8', code: '66 e5 80', row: 'in_imm' },
    { name: 'IN EAX, imm8', code: 'e5 80', row: 'in_imm' },
    { name: 'IN EAX, imm8 with REX.W', code: '48 e5 80', row: 'in_imm' },
    { name: 'IN AL, imm8, port above 7FH', code: 'e4 ed', row: 'in_imm' },
    { name: 'IN AL, DX: status of the UART', code: 'ec', row: 'in_dx', prepare: dx(0x3fd) },
    { name: 'IN AX, DX: any port', code: '66 ed', row: 'in_dx' },
    { name: 'IN EAX, DX: PCI configuration address', code: 'ed', row: 'in_dx', prepare: dx(0xcf8) },
    { name: 'IN EAX, DX: PCI configuration data, nothing selected', code: 'ed', row: 'in_dx', prepare: dx(0xcfc) },
    {
      name: 'IN EAX, DX: PCI configuration data',
      code: 'ed',
      row: 'in_dx',
      prepare(cpu, _, { ports }) {
        ports.write(0xcf8, 4, 0x8000_0000);
        dx(0xcfc)(cpu);
      },
    },
    { name: 'OUT imm8, AL: POST code', code: 'e6 80', row: 'out_imm' },
    { name: 'OUT imm8, AX', code: '66 e7 80', row: 'out_imm' },
    { name: 'OUT imm8, EAX', code: 'e7 80', row: 'out_imm' },
    { name: 'OUT DX, AL: CMOS index', code: 'ee', row: 'out_dx', prepare: dx(0x70) },
    { name: 'OUT DX, EAX: PCI configuration address', code: 'ef', row: 'out_dx', prepare: dx(0xcf8) },
    { name: 'OUT DX, EAX with REX.W', code: '48 ef', row: 'out_dx', prepare: dx(0xcf8) },
    { name: 'OUT DX, AX: nobody there', code: '66 ef', row: 'out_dx', prepare: dx(0x9999) },
    { name: 'OUT DX, AL: a timer begins at the exact time', code: '90 90 90 ee', row: 'out_dx', prepare: dx(0x40) },
    { name: 'OUT DX, AL: an interrupt becomes pending, and is taken', code: '90 ee', row: 'out_dx', prepare: uartInterrupts },
    {
      name: 'OUT DX, AL: an interrupt becomes pending, and waits for STI',
      code: '90 ee 90 fb 90',
      row: 'out_dx',
      prepare(cpu, random, machine) {
        uartInterrupts(cpu, random, machine);
        cpu.sysflags &= ~Flag.IF;
      },
    },
    { name: 'IN at CPL 3 with IOPL 3', code: 'e4 61', row: 'in_imm', cpl: 3, prepare: (cpu) => (cpu.sysflags |= Flag.IOPL) },
    { name: 'OUT at CPL 3 with IOPL 3', code: 'e6 80', row: 'out_imm', cpl: 3, prepare: (cpu) => (cpu.sysflags |= Flag.IOPL) },
    {
      name: 'IN at CPL 3 by the permission bitmap',
      code: 'e4 61',
      row: 'in_imm',
      cpl: 3,
      general: true,
      prepare(cpu, _, { memory }) {
        cpu.sysflags &= ~Flag.IOPL;
        cpu.segments[L.TR]!.load(0x30, BigInt(TSS), 0x200, 0x8b);
        memory.write(TSS + 102, 2, 0x68);
      },
    },
    { name: 'IN at CPL 3, not permitted', code: 'e4 61', row: 'in_imm', cpl: 3, general: true, prepare: (cpu) => (cpu.sysflags &= ~Flag.IOPL) },
    { name: 'OUT at CPL 3, not permitted', code: 'ee', row: 'out_dx', cpl: 3, general: true, prepare: (cpu) => (cpu.sysflags &= ~Flag.IOPL) },
    {
      name: 'OUT with an I/O breakpoint',
      code: 'e6 80',
      row: 'out_imm',
      general: true,
      prepare(cpu) {
        cpu.cr4 |= BigInt(CR4.DE);
        cpu.setDr(0, 0x80n);
        cpu.setDr(7, 0x2_0002n);
      },
    },
    { name: 'IN in VMX non-root operation', code: 'ec', row: 'in_dx', general: true, prepare: (cpu) => cpu.setU32(L.VMX_MODE, VmxMode.nonRoot) },
  ]);
});

it('OUT to the debug exit stops behind the instruction', () => {
  const [quick, general] = [false, true].map((observed) => {
    const machine = bareMachine();
    if (observed) machine.observe({ interrupt: () => {} });
    machine.memory.poke(CODE, bytes('90 e6 f4 90 eb fe'));
    expect(machine.run(1000).kind).toBe('debug-exit');
    return cpuState(machine);
  });
  expect(quick).toEqual(general);
  expect(quick).toMatchObject({ rip: (CODE + 3).toString(16), retired: 2n });
});

const startPit = ({ ports }: Machine): void => [0x34, 0xff, 0xff].forEach((value, n) => ports.write(n === 0 ? 0x43 : 0x40, 1, value));

/** 1: out 43h, al (0: latch counter 0); in al, 40h; add ebx, eax; in al, 40h; add ebp, eax; xor eax, eax; out 80h, al; dec edi; jnz 1b; jmp $ */
const READ_PIT = '31c0 e643 e440 01c3 e440 01c5 31c0 e680 ffcf 75ee ebfe';

it('the device sees the exact time', () => {
  const [quick, general] = [false, true].map((observed) => {
    const machine = bareMachine({ accel: { mode: 'interp' } });
    if (observed) machine.observe({ interrupt: () => {} });
    startPit(machine);
    machine.memory.poke(CODE, bytes(READ_PIT));
    machine.cpus[0]!.setGpr(7, 10_000n);
    machine.run(150_000);
    return cpuState(machine);
  });
  expect(quick).toEqual(general);
});

it('loops of port accesses are the same in both tiers', () => {
  const p = pair({ 0: READ_PIT }, (m) => {
    startPit(m);
    m.cpus[0]!.setGpr(7, 10_000n);
  });
  compare(p, 60, 2_000);
});
