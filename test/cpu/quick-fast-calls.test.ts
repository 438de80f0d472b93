import { describe } from 'vitest';
import { CR0, EFER, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { MsrSlot, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { HANDLER, quickCases, S } from './quick-cases.ts';

const USER = BigInt(HANDLER + 0x1_0000);

function syscallMsrs(cpu: Cpu, random: () => bigint): void {
  setMsrSlot(cpu, MsrSlot.star, (BigInt(S.code32 | 3) << 48n) | (BigInt(S.code0) << 32n) | (random() & 0xffff_ffffn));
  setMsrSlot(cpu, MsrSlot.lstar, BigInt(HANDLER));
  setMsrSlot(cpu, MsrSlot.fmask, (random() & 0xffff_ffffn) | BigInt(Flag.TF));
}

/** R11 without TF, RCX a place that spins. */
function sysretTo(cpu: Cpu, random: () => bigint, rcx = USER): void {
  syscallMsrs(cpu, random);
  cpu.setGpr(11, random() & ~BigInt(Flag.TF));
  cpu.setGpr(1, rcx);
}

describe('SYSCALL and SYSRET: quick and general', () => {
  quickCases([
    { name: 'SYSCALL at CPL 3', code: '0f 05', row: 'syscall', cpl: 3, prepare: syscallMsrs },
    { name: 'SYSCALL at CPL 0', code: '0f 05', row: 'syscall', prepare: syscallMsrs },
    { name: 'SYSCALL with a prefix', code: '66 48 0f 05', row: 'syscall', cpl: 3, prepare: syscallMsrs },
    {
      name: 'SYSCALL with STAR at the top',
      code: '0f 05',
      row: 'syscall',
      cpl: 3,
      prepare(cpu, random) {
        syscallMsrs(cpu, random);
        setMsrSlot(cpu, MsrSlot.star, 0xffff_ffff_0000_0000n);
      },
    },
    {
      name: 'SYSCALL where alignment is checked at CPL 3',
      code: '0f 05',
      row: 'syscall',
      cpl: 3,
      prepare(cpu, random) {
        syscallMsrs(cpu, random);
        cpu.cr0 |= BigInt(CR0.AM);
        cpu.sysflags |= Flag.AC;
      },
    },
    {
      name: 'SYSCALL without EFER.SCE',
      code: '0f 05',
      row: 'syscall',
      cpl: 3,
      general: true,
      prepare(cpu, random) {
        syscallMsrs(cpu, random);
        cpu.efer &= ~BigInt(EFER.SCE);
      },
    },
    { name: 'SYSRETQ', code: '48 0f 07', row: 'sysret', prepare: (cpu, random) => sysretTo(cpu, random) },
    {
      name: 'SYSRETQ with TF',
      code: '48 0f 07',
      row: 'sysret',
      prepare(cpu, random) {
        sysretTo(cpu, random);
        cpu.setGpr(11, random() | BigInt(Flag.TF));
      },
    },
    {
      name: 'SYSRETQ to the upper half',
      code: '48 0f 07',
      row: 'sysret',
      prepare: (cpu, random) => sysretTo(cpu, random, 0xffff_8000_0000_0000n),
    },
    {
      name: 'SYSRETQ with AC, alignment not checked',
      code: '48 0f 07',
      row: 'sysret',
      prepare(cpu, random) {
        sysretTo(cpu, random);
        cpu.setGpr(11, BigInt(Flag.AC));
      },
    },
    {
      name: 'SYSRETQ to where alignment is checked',
      code: '48 0f 07',
      row: 'sysret',
      general: true,
      prepare(cpu, random) {
        sysretTo(cpu, random);
        cpu.cr0 |= BigInt(CR0.AM);
        cpu.setGpr(11, BigInt(Flag.AC));
      },
    },
    {
      name: 'SYSRETQ not canonical',
      code: '48 0f 07',
      row: 'sysret',
      general: true,
      prepare: (cpu, random) => sysretTo(cpu, random, 0x8000_0000_0000n),
    },
    {
      name: 'SYSRETQ while counters are for one privilege level',
      code: '48 0f 07',
      row: 'sysret',
      general: true,
      prepare(cpu, random) {
        sysretTo(cpu, random);
        cpu.setU32(L.COUNTERS_FILTERED, 1);
      },
    },
    { name: 'SYSRET to 32-bit code', code: '0f 07', row: 'sysret', general: true, prepare: (cpu, random) => sysretTo(cpu, random) },
    { name: 'SYSRET with 66', code: '66 0f 07', row: 'sysret', general: true, prepare: (cpu, random) => sysretTo(cpu, random) },
    { name: 'SYSRETQ at CPL 3', code: '48 0f 07', row: 'sysret', cpl: 3, general: true, prepare: (cpu, random) => sysretTo(cpu, random) },
    {
      name: 'SYSRETQ without EFER.SCE',
      code: '48 0f 07',
      row: 'sysret',
      general: true,
      prepare(cpu, random) {
        sysretTo(cpu, random);
        cpu.efer &= ~BigInt(EFER.SCE);
      },
    },
  ]);
});
