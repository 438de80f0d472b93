import { afterEach, describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { ABANDONED } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { setOnAccess } from '../../src/machine/cpu/mmu/access.ts';
import { AccessKind, commitBounce, FAULT_ABANDONED, slowAccess } from '../../src/machine/cpu/mmu/slow-path.ts';
import { lookupData, selectTlb } from '../../src/machine/cpu/mmu/tlb.ts';
import { BOUNCE, RAM } from '../../src/machine/memory/layout.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';
import { D, enterMode, P, PageTables, U, W, type ModeOptions } from '../support/page-tables.ts';

const { read, write, readWrite, stack } = AccessKind;
const MMIO = 0xfee0_0000;

/** Pages at 0x10000: RAM at 3 MByte, RAM at 2 MByte (not adjacent), a device, read-only RAM, nothing. */
function setUp(options: ModeOptions = {}) {
  const machine = fakeMachine();
  const tables = new PageTables(machine, '4-level');
  const first = tables.map(0x1_0000n, 0x30_0000, P | W | U);
  tables.map(0x1_1000n, 0x20_0000, P | W | U);
  tables.map(0x1_2000n, MMIO, P | W | U);
  tables.map(0x1_3000n, 0x31_0000, P | U);
  tables.map(0x7fff_ffff_f000n, 0x32_0000, P | W | U);
  tables.map(0xffff_ffff_ffff_f000n, 0x33_0000, P | W | U);
  tables.map(0n, 0x34_0000, P | W | U);
  enterMode(machine.cpu, tables, { cr0: CR0.WP, ...options });
  const device: string[] = [];
  machine.memory.mapMmio({
    name: 'device',
    base: MMIO,
    length: 0x1000,
    read: (offset, size) => (device.push(`read ${offset.toString(16)} ${size}`), 0x1111_1111 * ((offset >> 2) + 1)),
    write: (offset, size, value) => void device.push(`write ${offset.toString(16)} ${size} ${(value >>> 0).toString(16)}`),
  });
  return { machine, cpu: machine.cpu, tables, first, device };
}

const fault = (cpu: Cpu): string => {
  const vector = cpu.u32(L.FAULT_VECTOR);
  return `${vector & 0xff}${vector & 0x100 ? `(${cpu.u32(L.FAULT_CODE)})` : ''}`;
};
const known = (cpu: Cpu, linear: bigint, writing: boolean): boolean =>
  lookupData(cpu, cpu.u32(L.TLB), Number(linear >> 32n), Number(linear & 0xffff_ffffn), writing) >= 0;
const mark = (machine: FakeMachine, physical: number, value: number): void => void (machine.memory.pageMarks[physical >> 12] = value);

afterEach(() => setOnAccess(null));

describe('RAM in one page', () => {
  it('gives its address and leaves a TLB entry, writable only once dirty', () => {
    const { cpu, tables, first } = setUp();
    expect(slowAccess(cpu, 0x1_0123n, 8, read)).toBe(RAM + 0x30_0123);
    expect([known(cpu, 0x1_0000n, false), known(cpu, 0x1_0000n, true)]).toEqual([true, false]);
    expect(slowAccess(cpu, 0x1_0ff8n, 8, write)).toBe(RAM + 0x30_0ff8);
    expect(known(cpu, 0x1_0000n, true)).toBe(true);
    expect(tables.read(first) & D).toBe(D);
  });

  it('takes signed addresses', () => {
    const { cpu } = setUp();
    expect(slowAccess(cpu, -8n, 8, read)).toBe(RAM + 0x33_0ff8);
    expect(known(cpu, 0xffff_ffff_ffff_f000n, false)).toBe(true);
  });

  it('read-modify-write asks for both', () => {
    const { cpu } = setUp();
    expect(slowAccess(cpu, 0x1_3000n, 4, readWrite)).toBe(0);
    expect(fault(cpu)).toBe('14(3)');
    expect(slowAccess(cpu, 0x1_0000n, 4, readWrite)).toBe(RAM + 0x30_0000);
  });
});

describe('faults are return codes and have no effect', () => {
  it.each<[string, bigint, number, number, ModeOptions, string]>([
    ['not mapped', 0x5_0000n, 4, read, {}, '14(0)'],
    ['not mapped, write', 0x5_0000n, 4, write, {}, '14(2)'],
    ['not mapped, user', 0x5_0000n, 4, read, { cpl: 3 }, '14(4)'],
    ['read-only', 0x1_3000n, 4, write, {}, '14(3)'],
    ['second page not mapped', 0x1_3ffen, 4, read, {}, '14(0)'],
    ['non-canonical', 0x8000_0000_0000n, 4, read, {}, '13(0)'],
    ['non-canonical, stack', 0x8000_0000_0000n, 8, write | stack, {}, '12(0)'],
    ['last byte non-canonical', 0x7fff_ffff_fffcn, 8, read, {}, '13(0)'],
    ['misaligned with alignment checking', 0x1_0001n, 4, read, { cpl: 3, cr0: CR0.AM }, '17(0)'],
  ])('%s', (_, linear, size, kind, options, expected) => {
    const { cpu } = setUp(options);
    cpu.rflags = Flag.AC;
    expect(slowAccess(cpu, linear, size, kind)).toBe(0);
    expect(fault(cpu)).toBe(expected);
  });

  it.each<[string, number, ModeOptions, number]>([
    ['at CPL 0', 4, { cr0: CR0.AM }, 0x1_0001],
    ['aligned', 4, { cpl: 3, cr0: CR0.AM }, 0x1_0004],
    ['without CR0.AM', 4, { cpl: 3 }, 0x1_0001],
    ['bytes', 1, { cpl: 3, cr0: CR0.AM }, 0x1_0001],
  ])('no #AC %s', (_, size, options, linear) => {
    const { cpu } = setUp(options);
    cpu.rflags = Flag.AC;
    selectTlb(cpu);
    expect(slowAccess(cpu, BigInt(linear), size, read)).toBe(RAM + 0x30_0000 + (linear & 0xfff));
  });

  it('CR2 is the address in the second page when that one faults', () => {
    const { cpu } = setUp();
    slowAccess(cpu, 0x1_3ffdn, 8, read);
    expect(cpu.cr2).toBe(0x1_4000n);
  });

  it('nothing is read when the second page faults', () => {
    const { cpu, device } = setUp();
    expect(slowAccess(cpu, 0x1_2ffen, 4, readWrite)).toBe(0);
    expect(cpu.cr2).toBe(0x1_3000n);
    expect(device).toEqual([]);
  });

  it('a VM exit has a code of its own', () => {
    const { cpu } = setUp();
    cpu.guest = {
      nested: true,
      instruction: () => false,
      event: () => false,
      tripleFault: () => false,
      taskSwitch: () => {},
      boundary: () => false,
      peek: () => undefined,
      translate: (_c, at, _a, _l, walk) => {
        if (!walk) throw ABANDONED;
        return at;
      },
    };
    expect(slowAccess(cpu, 0x1_0000n, 4, read)).toBe(0);
    expect(cpu.u32(L.FAULT_VECTOR)).toBe(FAULT_ABANDONED);
  });

  it('a bug of ours is not taken for a fault', () => {
    const { cpu, machine } = setUp();
    machine.memory.mapMmio({ name: 'broken', base: 0x30_0000, length: 4096, read: () => { throw new Error('bug'); }, write: () => {} }); // prettier-ignore
    expect(() => slowAccess(cpu, 0x1_0000n, 4, read)).toThrow('bug');
  });
});

describe('devices', () => {
  it('are read once, in pieces of 4 bytes at most, and never cached', () => {
    const { cpu, device } = setUp();
    expect(slowAccess(cpu, 0x1_2010n, 8, read)).toBe(BOUNCE);
    expect(cpu.m.view.getBigUint64(BOUNCE, true)).toBe(0x6666_6666_5555_5555n);
    expect(device).toEqual(['read 10 4', 'read 14 4']);
    expect(known(cpu, 0x1_2000n, false)).toBe(false);
  });

  it('are written at the commit and not read by a plain write', () => {
    const { cpu, device } = setUp();
    expect(slowAccess(cpu, 0x1_20b0n, 4, write)).toBe(BOUNCE);
    expect(device).toEqual([]);
    cpu.m.view.setUint32(BOUNCE, 0xdead_beef, true);
    commitBounce(cpu);
    expect(device).toEqual(['write b0 4 deadbeef']);
  });

  it('see one read and one write of a read-modify-write', () => {
    const { cpu, device } = setUp();
    slowAccess(cpu, 0x1_2000n, 2, readWrite);
    cpu.m.view.setUint16(BOUNCE, cpu.m.view.getUint16(BOUNCE, true) + 1, true);
    commitBounce(cpu);
    expect(device).toEqual(['read 0 2', 'write 0 2 1112']);
  });
});

describe('page crossing', () => {
  it.each([2, 4, 8, 16, 32, 64])('%i bytes go to both pages', (size) => {
    const { cpu, machine } = setUp();
    const linear = 0x1_1000n - BigInt(size / 2);
    for (let n = 0; n < size; n++) machine.memory.write(n < size / 2 ? 0x30_1000 - size / 2 + n : 0x20_0000 + n - size / 2, 1, n + 1);
    expect(slowAccess(cpu, linear, size, readWrite)).toBe(BOUNCE);
    const bytes = cpu.m.u8.subarray(BOUNCE, BOUNCE + size);
    expect([...bytes]).toEqual(Array.from({ length: size }, (_, n) => n + 1));
    bytes.reverse();
    commitBounce(cpu);
    expect([...machine.memory.peek(0x30_1000 - size / 2, size / 2)!, ...machine.memory.peek(0x20_0000, size / 2)!]).toEqual(
      Array.from({ length: size }, (_, n) => size - n),
    );
  });

  it('wraps at 4 GiB outside 64-bit mode', () => {
    const machine = fakeMachine();
    const tables = new PageTables(machine, '32-bit');
    tables.map(0xffff_f000n, 0x30_0000, P | W);
    tables.map(0n, 0x20_0000, P | W);
    enterMode(machine.cpu, tables);
    machine.memory.write(0x30_0ffe, 2, 0x2211);
    machine.memory.write(0x20_0000, 2, 0x4433);
    expect(slowAccess(machine.cpu, 0xffff_fffen, 4, read)).toBe(BOUNCE);
    expect(machine.cpu.m.view.getUint32(BOUNCE, true)).toBe(0x4433_2211);
  });

  it('wraps at the end of the address space in 64-bit mode', () => {
    const { cpu, machine } = setUp();
    machine.memory.write(0x33_0ffc, 4, 0x1111_1111);
    machine.memory.write(0x34_0000, 4, 0x2222_2222);
    expect(slowAccess(cpu, -4n, 8, read)).toBe(BOUNCE);
    expect(cpu.m.view.getBigUint64(BOUNCE, true)).toBe(0x2222_2222_1111_1111n);
  });
});

describe('marked pages', () => {
  it('code: reads are direct, writes are told', () => {
    const { cpu, machine } = setUp();
    const told: number[] = [];
    machine.memory.onMarkedWrite = (page) => void told.push(page);
    mark(machine, 0x30_0000, 1);
    expect(slowAccess(cpu, 0x1_0000n, 4, read)).toBe(RAM + 0x30_0000);
    expect(slowAccess(cpu, 0x1_0000n, 4, write)).toBe(BOUNCE);
    expect(known(cpu, 0x1_0000n, true)).toBe(false);
    expect(told).toEqual([]);
    cpu.m.view.setUint32(BOUNCE, 5, true);
    commitBounce(cpu);
    expect(told).toEqual([0x300]);
    expect(machine.memory.read(0x30_0000, 4)).toBe(5);
  });

  it('watched: each access is told, with its address and size', () => {
    const { cpu, machine } = setUp();
    const told: string[] = [];
    setOnAccess((_, linear, size, writing) => void told.push(`${writing ? 'write' : 'read'} ${linear.toString(16)} ${size}`));
    mark(machine, 0x30_0000, 2);
    for (let n = 0; n < 2; n++) expect(slowAccess(cpu, 0x1_0010n, 8, read)).toBe(BOUNCE);
    slowAccess(cpu, 0x1_0020n, 2, readWrite);
    commitBounce(cpu);
    expect(told).toEqual(['read 10010 8', 'read 10010 8', 'read 10020 2', 'write 10020 2']);
  });
});

describe('SMAP', () => {
  it('user pages are checked at each supervisor access, since RFLAGS.AC changes without notice', () => {
    const { cpu } = setUp({ cr4: CR4.SMAP });
    cpu.sysflags = Flag.AC;
    expect(slowAccess(cpu, 0x1_0000n, 4, read)).toBe(RAM + 0x30_0000);
    expect(known(cpu, 0x1_0000n, false)).toBe(false);
    cpu.sysflags = 0;
    expect(slowAccess(cpu, 0x1_0000n, 4, read)).toBe(0);
    expect(fault(cpu)).toBe('14(1)');
  });
});
