import { afterEach, describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { GuestFault } from '../../src/machine/cpu/fault.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { probeWrite, readBytes, readLinear, readLinear32, setOnAccess, writeBytes, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { D, enterMode, P, PageTables, U, W, type ModeOptions, type PagingMode } from '../support/page-tables.ts';

const MMIO = 0xfed0_0000;

/** 0x10000: user page at 3 MByte; 0x11000: supervisor page at 2 MByte; 0x12000: nothing; 0x13000: a device; 0x14000: RAM. */
function setUp(options: ModeOptions = {}, mode: PagingMode = '4-level') {
  const machine = fakeMachine();
  const tables = new PageTables(machine, mode);
  const user = tables.map(0x1_0000n, 0x30_0000, P | W | U);
  tables.map(0x1_1000n, 0x20_0000, P | W);
  tables.map(0x1_3000n, MMIO, P | W);
  tables.map(0x1_4000n, 0x31_0000, P | W);
  enterMode(machine.cpu, tables, options);
  const device: string[] = [];
  machine.memory.mapMmio({
    name: 'device',
    base: MMIO,
    length: 0x1000,
    read: (offset, size) => (device.push(`read ${offset.toString(16)} ${size}`), offset & 0xff),
    write: (offset, size, value) => void device.push(`write ${offset.toString(16)} ${size} ${value.toString(16)}`),
  });
  return { machine, cpu: machine.cpu, tables, user, device };
}

function fault(f: () => void): string {
  try {
    f();
    return 'none';
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    return `${e.vector}(${e.errorCode})`;
  }
}
const linear = (cpu: Cpu, n: bigint): bigint => readLinear(cpu, n, 8);

afterEach(() => setOnAccess(null));

describe('readLinear and writeLinear', () => {
  it.each([1, 2, 4, 8] as const)('%i bytes, twice: by walk and by TLB', (size) => {
    const { cpu, machine } = setUp();
    for (let round = 0; round < 2; round++) {
      const value = BigInt.asUintN(size * 8, 0x8877_6655_4433_2211n + BigInt(round));
      writeLinear(cpu, 0x1_0003n, size, value);
      expect(readLinear(cpu, 0x1_0003n, size)).toBe(value);
      if (size !== 8) expect(readLinear32(cpu, 0x1_0003n, size)).toBe(Number(value));
    }
    expect(machine.memory.read(0x30_0003 + size, 1)).toBe(0);
  });

  it.each([2, 4, 8] as const)('%i bytes across pages that do not adjoin', (size) => {
    const { cpu, machine } = setUp();
    writeLinear(cpu, 0x1_0fffn, size, 0x8877_6655_4433_2211n);
    expect(machine.memory.read(0x30_0fff, 1)).toBe(0x11);
    expect(machine.memory.read(0x20_0000, 1)).toBe(0x22);
    expect(readLinear(cpu, 0x1_0fffn, size)).toBe(BigInt.asUintN(size * 8, 0x8877_6655_4433_2211n));
  });

  it('negative values are stored as their bits', () => {
    const { cpu } = setUp();
    writeLinear(cpu, 0x1_0000n, 8, -2n);
    expect(readLinear(cpu, 0x1_0000n, 8)).toBe(0xffff_ffff_ffff_fffen);
    writeLinear(cpu, 0x1_0000n, 4, -1n);
    expect(linear(cpu, 0x1_0000n)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it('a write that faults in its second page writes nothing', () => {
    const { cpu, machine } = setUp();
    expect(fault(() => writeLinear(cpu, 0x1_1ffcn, 8, -1n))).toBe('14(2)');
    expect(cpu.cr2).toBe(0x1_2000n);
    expect(machine.memory.read(0x20_0ffc, 4)).toBe(0);
  });

  it('a device is accessed once with the size asked for', () => {
    const { cpu, device } = setUp();
    readLinear(cpu, 0x1_3010n, 4);
    writeLinear(cpu, 0x1_3020n, 2, 7n);
    expect(device).toEqual(['read 10 4', 'write 20 2 7']);
  });

  it.each<[string, bigint, string]>([
    ['first byte', 0x8000_0000_0000n, '13(0)'],
    ['last byte', 0x7fff_ffff_fff9n, '13(0)'],
  ])('non-canonical %s', (_, at, expected) => {
    expect(fault(() => readLinear(setUp().cpu, at, 8))).toBe(expected);
  });

  it('addresses wrap at 4 GiB outside IA-32e mode', () => {
    const { cpu } = setUp({}, '32-bit');
    writeLinear(cpu, 0x1_0001_0000n, 4, 0x1234n);
    expect(readLinear(cpu, 0x1_0000n, 4)).toBe(0x1234n);
  });

  it('in compatibility mode system tables may lie above 4 GiB, other accesses may not', () => {
    const { cpu, tables, machine } = setUp();
    tables.map(0xffff_8000_0000_0000n, 0x32_0000, P | W);
    tables.map(0n, 0x33_0000, P | W);
    machine.memory.write(0x32_0000, 1, 0x55);
    machine.memory.write(0x33_0000, 1, 0x66);
    cpu.setU32(L.CODE_SIZE, 1);
    expect(readLinear(cpu, 0xffff_8000_0000_0000n, 1, true)).toBe(0x55n);
    expect(readLinear(cpu, 0xffff_8000_0000_0000n, 1)).toBe(0x66n);
  });
});

describe('privilege', () => {
  it('CPL 3 is refused supervisor pages, but not for implicit accesses', () => {
    const { cpu } = setUp({ cpl: 3 });
    expect(fault(() => readLinear(cpu, 0x1_1000n, 4))).toBe('14(5)');
    expect(fault(() => writeLinear(cpu, 0x1_1000n, 4, 0n))).toBe('14(7)');
    expect(fault(() => readLinear(cpu, 0x1_1000n, 4, true))).toBe('none');
    // What the implicit access left in the TLB is not for CPL 3.
    expect(fault(() => readLinear(cpu, 0x1_1000n, 4))).toBe('14(5)');
  });

  it('SMAP stops implicit accesses to user pages whatever RFLAGS.AC says', () => {
    const { cpu } = setUp({ cr4: CR4.SMAP });
    cpu.sysflags = Flag.AC;
    expect(fault(() => readLinear(cpu, 0x1_0000n, 4))).toBe('none');
    expect(fault(() => readLinear(cpu, 0x1_0000n, 4, true))).toBe('14(1)');
    cpu.sysflags = 0;
    expect(fault(() => readLinear(cpu, 0x1_0000n, 4))).toBe('14(1)');
  });

  it('a TLB entry made by a read does not admit a write to a read-only page', () => {
    const { cpu, tables } = setUp({ cr0: CR0.WP });
    tables.map(0x1_5000n, 0x34_0000, P);
    readLinear(cpu, 0x1_5000n, 4);
    expect(fault(() => writeLinear(cpu, 0x1_5000n, 4, 0n))).toBe('14(3)');
  });
});

describe('bytes', () => {
  it('copies over pages and devices', () => {
    const { cpu, device } = setUp();
    const bytes = Uint8Array.from({ length: 0x20 }, (_, n) => n + 1);
    writeBytes(cpu, 0x1_0ff0n, bytes);
    expect(readBytes(cpu, 0x1_0ff0n, 0x20)).toEqual(bytes);
    expect([...readBytes(cpu, 0x1_3ffen, 4)]).toEqual([0xfe, 0xff, 0, 0]);
    expect(device).toEqual(['read ffe 1', 'read fff 1']);
  });

  it('translates all pages before the first byte', () => {
    const { cpu, machine } = setUp();
    expect(fault(() => writeBytes(cpu, 0x1_0ff0n, new Uint8Array(0x2000).fill(9)))).toBe('14(2)');
    expect(machine.memory.read(0x30_0ff0, 1)).toBe(0);
  });

  it('tells of writes to code pages', () => {
    const { cpu, machine } = setUp();
    const told: number[] = [];
    machine.memory.onMarkedWrite = (page) => void told.push(page);
    machine.memory.pageMarks[0x300] = 1;
    writeBytes(cpu, 0x1_0000n, new Uint8Array(4));
    writeLinear(cpu, 0x1_0000n, 1, 1n);
    expect(told).toEqual([0x300, 0x300]);
  });
});

describe('probeWrite', () => {
  it('sets dirty flags and writes nothing', () => {
    const { cpu, tables, user } = setUp();
    probeWrite(cpu, 0x1_0ff0n, 0x20);
    expect(tables.read(user) & D).toBe(D);
    expect(fault(() => probeWrite(cpu, 0x1_1ff0n, 0x20))).toBe('14(2)');
  });
});

it('observers see each access once', () => {
  const { cpu } = setUp();
  const told: string[] = [];
  setOnAccess((_, at, size, write) => void told.push(`${write ? 'w' : 'r'} ${at.toString(16)} ${size}`));
  readLinear(cpu, 0x1_0000n, 4);
  writeLinear(cpu, 0x1_0fffn, 8, 0n);
  readBytes(cpu, 0x1_0ff0n, 0x20);
  expect(told).toEqual(['r 10000 4', 'w 10fff 8', 'r 10ff0 16', 'r 11000 16']);
});
