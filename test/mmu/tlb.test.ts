import { beforeEach, describe, expect, it } from 'vitest';
import { CR0, CR4, Flag, type Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { flushContexts, flushTlb, flushTlbPage, resetTlb, switchContext, syncContext } from '../../src/machine/cpu/mmu/contexts.ts';
import {
  CODE_ENTRIES,
  CODE_TABLE,
  dropPage,
  flushCodeTlb,
  flushTlbAll,
  HOST_PAGE,
  insertCode,
  insertData,
  noteBigPage,
  PHYS_PAGE,
  READ_TAG,
  selectTlb,
  tlbHalf,
  WRITE_TAG,
} from '../../src/machine/cpu/mmu/tlb.ts';
import { CODE_TLB_ENTRIES, CODE_TLB_ENTRY_SIZE, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../src/machine/memory/layout.ts';
import { AccessKind, slowAccess } from '../../src/machine/cpu/mmu/slow-path.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { enterMode, P, PageTables, U, W } from '../support/page-tables.ts';

const machine = fakeMachine({ cpus: 2 });
const cpu = machine.cpu;

/** What emitted code sees: it knows L.TLB and the shape of an entry, nothing else. */
function data(c: Cpu, linear: bigint, tag: number): boolean {
  const at = c.u32(L.TLB) + Number((linear >> 12n) & BigInt(TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
  return c.m.view.getBigUint64(at + tag, true) === BigInt.asUintN(64, linear & ~0xfffn);
}
function code(c: Cpu, linear: bigint): number {
  const at = c.u32(L.TLB) + CODE_ENTRIES + Number((linear >> 12n) & BigInt(CODE_TLB_ENTRIES - 1)) * CODE_TLB_ENTRY_SIZE;
  return c.m.view.getBigUint64(at, true) === BigInt.asUintN(64, linear & ~0xfffn) ? c.m.view.getUint32(at + CODE_TABLE, true) : 0;
}
function setCpl(c: Cpu, cpl: number): void {
  c.setU32(L.CPL, cpl);
  selectTlb(c);
}

beforeEach(() => {
  for (const c of machine.cpus) {
    c.cr0 = c.cr3 = c.cr4 = c.efer = 0n;
    c.rflags = 0;
    c.setU32(L.TLB_CONTEXT, 0);
    c.setU32(L.CPL, 0);
    resetTlb(c);
  }
});

describe('entries', () => {
  it('are all invalid after reset, at address 0 too', () => {
    for (const linear of [0n, 0x1000n, 0xffff_ffff_ffff_f000n]) {
      expect(data(cpu, linear, READ_TAG)).toBe(false);
      expect(data(cpu, linear, WRITE_TAG)).toBe(false);
      expect(code(cpu, linear)).toBe(0);
    }
  });

  it.each([0x0n, 0x7fff_ffff_f000n, 0xffff_8000_0012_3000n, 0xffff_ffff_ffff_f000n, 0x8000_0000n])('hold page %s with its sign', (linear) => {
    insertData(cpu, linear + 0x123n, 0x0680_5000, 0x5, true, true);
    expect([data(cpu, linear, READ_TAG), data(cpu, linear, WRITE_TAG)]).toEqual([true, true]);
    const at = cpu.u32(L.TLB) + Number((linear >> 12n) & BigInt(TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
    expect(cpu.m.view.getUint32(at + HOST_PAGE, true)).toBe(0x0680_5000);
    expect(cpu.m.view.getUint32(at + PHYS_PAGE, true)).toBe(5);
    insertCode(cpu, linear, 0x80_0000);
    expect(code(cpu, linear)).toBe(0x80_0000);
  });

  it('take a signed address as emitted code passes it', () => {
    insertData(cpu, -4096n, 0x1000, 1, true, false);
    expect(data(cpu, 0xffff_ffff_ffff_f000n, READ_TAG)).toBe(true);
  });

  it.each([
    [true, false],
    [false, true],
    [false, false],
  ])('readable %s, writable %s', (readable, writable) => {
    insertData(cpu, 0x5000n, 0x1000, 1, readable, writable);
    expect([data(cpu, 0x5000n, READ_TAG), data(cpu, 0x5000n, WRITE_TAG)]).toEqual([readable, writable]);
  });

  it('of supervisor and user are apart', () => {
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    setCpl(cpu, 3);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    insertCode(cpu, 0x5000n, 0x80_0000);
    setCpl(cpu, 1);
    expect(code(cpu, 0x5000n)).toBe(0);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(true);
  });

  it('of two CPUs are apart', () => {
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    expect(data(machine.cpus[1]!, 0x5000n, READ_TAG)).toBe(false);
    flushTlbAll(machine.cpus[1]!);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(true);
  });
});

describe.each([10, 255, 256, 257, 2000])('with %i pages inserted', (count) => {
  const pages = Array.from({ length: count }, (_, n) => BigInt(n) << 12n);
  const live = (tag: number): number => pages.filter((p) => data(cpu, p, tag)).length;
  const fill = (): void => {
    for (const p of pages) {
      insertData(cpu, p, 0x1000, Number(p >> 12n), true, true);
      insertCode(cpu, p, 0x80_0000);
    }
  };

  it('a flush leaves nothing, again and again', () => {
    for (let round = 0; round < 3; round++) {
      fill();
      expect(live(READ_TAG)).toBe(Math.min(count, TLB_ENTRIES));
      flushTlb(cpu);
      expect([live(READ_TAG), live(WRITE_TAG), pages.filter((p) => code(cpu, p) !== 0).length]).toEqual([0, 0, 0]);
    }
  });

  it('a flush of code keeps data', () => {
    fill();
    flushCodeTlb(cpu);
    expect(pages.filter((p) => code(cpu, p) !== 0)).toEqual([]);
    expect(live(READ_TAG)).toBe(Math.min(count, TLB_ENTRIES));
    flushTlb(cpu);
    expect(live(READ_TAG)).toBe(0);
  });

  it('dropping a page takes away its writes, in every alias and context', () => {
    switchContext(cpu, 'root');
    fill();
    const last = pages.at(-1)!;
    const alias = 0x7000_0000_0000n + last;
    insertData(cpu, alias, 0x1000, Number(last >> 12n), true, true); // takes the entry of `last`: same index
    const before = live(WRITE_TAG);
    switchContext(cpu, 'other');
    insertData(cpu, last, 0x1000, Number(last >> 12n), true, true);
    dropPage(cpu, Number(last >> 12n));
    expect([data(cpu, last, READ_TAG), data(cpu, last, WRITE_TAG)]).toEqual([true, false]);
    switchContext(cpu, 'root');
    expect([data(cpu, alias, READ_TAG), data(cpu, alias, WRITE_TAG)]).toEqual([true, false]);
    expect(live(WRITE_TAG)).toBe(before); // no other page lost anything
  });
});

describe('dropPage', () => {
  it('takes away reads only when asked', () => {
    insertData(cpu, 0x5000n, 0x1000, 7, true, true);
    insertData(cpu, 0x6000n, 0x1000, 8, true, true);
    dropPage(cpu, 7);
    expect([data(cpu, 0x5000n, READ_TAG), data(cpu, 0x5000n, WRITE_TAG), data(cpu, 0x6000n, WRITE_TAG)]).toEqual([true, false, true]);
    dropPage(cpu, 7, true);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    expect(data(cpu, 0x6000n, READ_TAG)).toBe(true);
  });
});

describe('flushTlbPage', () => {
  it('drops one page in both halves, code and data', () => {
    for (const cpl of [0, 3]) {
      setCpl(cpu, cpl);
      for (const p of [0x5000n, 0x6000n]) {
        insertData(cpu, p, 0x1000, 1, true, true);
        insertCode(cpu, p, 0x80_0000);
      }
    }
    flushTlbPage(cpu, 0x5fffn);
    for (const cpl of [0, 3]) {
      setCpl(cpu, cpl);
      expect([data(cpu, 0x5000n, READ_TAG), data(cpu, 0x5000n, WRITE_TAG), code(cpu, 0x5000n)]).toEqual([false, false, 0]);
      expect([data(cpu, 0x6000n, READ_TAG), code(cpu, 0x6000n)]).toEqual([true, 0x80_0000]);
    }
  });
});

describe('pages larger than 4 KBytes', () => {
  it.each([
    [21, 0xffff_8000_4000_0000n],
    [22, 0x4000_0000n],
    [30, 0xffff_8000_4000_0000n],
  ])('2^%i bytes go together and alone', (bits, base) => {
    const size = 1n << BigInt(bits);
    const inside = [base, base + 0x3000n, base + size - 0x1000n];
    const outside = [base - 0x1000n, base + size];
    for (const cpl of [0, 3]) {
      setCpl(cpu, cpl);
      for (const p of [...inside, ...outside]) {
        insertData(cpu, p, 0x1000, 1, true, true);
        insertCode(cpu, p, 0x80_0000);
      }
    }
    noteBigPage(cpu, Number(base >> 32n), Number(base & 0xffff_ffffn), bits);
    const survivors = (): bigint[] => [...inside, ...outside].filter((p) => data(cpu, p, READ_TAG) || data(cpu, p, WRITE_TAG) || code(cpu, p) !== 0);
    const before = survivors();
    flushTlbPage(cpu, base + 0x7000n);
    for (const cpl of [0, 3]) {
      setCpl(cpu, cpl);
      expect(survivors()).toEqual(before.filter((p) => outside.includes(p)));
    }
    expect(survivors().length).toBeGreaterThan(0);
  });

  it('the walk tells of them', () => {
    const tables = new PageTables(machine, '4-level');
    tables.map(0x20_0000n, 0, P | W | U, 2);
    enterMode(cpu, tables);
    const at = (n: number): boolean => (slowAccess(cpu, BigInt(n), 4, AccessKind.read), data(cpu, BigInt(n), READ_TAG));
    expect([at(0x20_0000), at(0x20_5000)]).toEqual([true, true]);
    flushTlbPage(cpu, 0x20_9000n);
    expect([data(cpu, 0x20_0000n, READ_TAG), data(cpu, 0x20_5000n, READ_TAG)]).toEqual([false, false]);
  });
});

describe('contexts', () => {
  it('keep their entries while another is in use', () => {
    switchContext(cpu, 'root');
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    switchContext(cpu, 'guest');
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    insertData(cpu, 0x6000n, 0x1000, 1, true, true);
    flushTlb(cpu);
    switchContext(cpu, 'root');
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(true);
    switchContext(cpu, 'guest');
    expect(data(cpu, 0x6000n, READ_TAG)).toBe(false);
  });

  it('are reused least recently used first, emptied', () => {
    for (const key of ['a', 'b', 'c', 'd', 'f', 'g', 'h', 'i']) {
      switchContext(cpu, key);
      insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    }
    switchContext(cpu, 'a');
    switchContext(cpu, 'e'); // takes b's
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    for (const [key, expected] of [
      ['a', true],
      ['c', true],
      ['i', true],
      ['b', false],
    ] as const) {
      switchContext(cpu, key);
      expect(data(cpu, 0x5000n, READ_TAG), key).toBe(expected);
    }
  });

  it('are flushed by key', () => {
    for (const key of ['root', 'guest 1', 'guest 2']) {
      switchContext(cpu, key);
      insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    }
    flushContexts(cpu, (key) => key === 'guest 1');
    for (const [key, expected] of [
      ['root', true],
      ['guest 1', false],
      ['guest 2', true],
    ] as const) {
      switchContext(cpu, key);
      expect(data(cpu, 0x5000n, READ_TAG), key).toBe(expected);
    }
  });
});

describe('a context remembers the paging registers it was filled under', () => {
  it.each<[string, (c: Cpu) => void, boolean]>([
    ['nothing', () => {}, true],
    ['CR3', (c) => (c.cr3 = 0x2000n), false],
    ['CR0.WP', (c) => (c.cr0 = BigInt(CR0.WP)), false],
    ['CR0.TS, which is none of paging', (c) => (c.cr0 = BigInt(CR0.TS)), true],
    ['CR4.PGE', (c) => (c.cr4 = BigInt(CR4.PGE)), false],
    ['CR4.SMEP', (c) => (c.cr4 = BigInt(CR4.SMEP)), false],
    ['CR4.OSFXSR, which is none of paging', (c) => (c.cr4 = BigInt(CR4.OSFXSR)), true],
    ['EFER.NXE', (c) => (c.efer = 0x800n), false],
  ])('changing %s', (_, change, kept) => {
    syncContext(cpu);
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    change(cpu);
    syncContext(cpu);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(kept);
  });

  it('is compared for the context in use', () => {
    switchContext(cpu, 'root');
    syncContext(cpu);
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    switchContext(cpu, 'guest');
    cpu.cr3 = 0x7000n;
    syncContext(cpu);
    switchContext(cpu, 'root');
    cpu.cr3 = 0n;
    syncContext(cpu);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(true);
  });
});

describe('alignment checking', () => {
  it('uses a half without data entries', () => {
    cpu.cr0 = BigInt(CR0.AM);
    setCpl(cpu, 3);
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    cpu.rflags = Flag.AC;
    selectTlb(cpu);
    expect(cpu.u32(L.TLB)).not.toBe(tlbHalf(cpu, 0, true));
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    insertData(cpu, 0x5000n, 0x1000, 1, true, true);
    expect(data(cpu, 0x5000n, READ_TAG)).toBe(false);
    insertCode(cpu, 0x5000n, 0x80_0000);
    expect(code(cpu, 0x5000n)).toBe(0x80_0000);
    switchContext(cpu, 'another address space');
    expect(code(cpu, 0x5000n)).toBe(0);
  });

  it('is off at CPL 0 and without CR0.AM', () => {
    cpu.rflags = Flag.AC;
    setCpl(cpu, 3);
    expect(cpu.u32(L.TLB)).toBe(tlbHalf(cpu, 0, true));
    cpu.cr0 = BigInt(CR0.AM);
    setCpl(cpu, 0);
    expect(cpu.u32(L.TLB)).toBe(tlbHalf(cpu, 0, false));
  });
});
