import { describe, expect, it } from 'vitest';
import { CR0 } from '../../src/machine/cpu/cpu.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { runBytes } from '../cpu/events.ts';
import { CODE, DATA } from '../support/bare-machine.ts';

const [UD, NM, PF, MF] = [6, 7, 14, 16];
const RBX = 3;

const set = (bits: number) => (cpu: Cpu) => void (cpu.cr0 |= BigInt(bits));
/** An invalid operation waits, unmasked. */
const pending = (cpu: Cpu): void => {
  cpu.setU32(L.FCW, 0x37e);
  cpu.setU32(L.FSW, 0x8081);
};
const fresh = (cpu: Cpu): void => {
  cpu.setU32(L.FCW, 0x37f);
  cpu.setU32(L.FSW, 0);
  cpu.setU32(L.FTW, 0xffff);
  cpu.setGpr(RBX, BigInt(DATA));
};

/** As code is emitted (`d9 c0`, `dd 03`), and as a helper (`d9 fa`, `db 2b`). */
const x87 = { 'FLD ST(0)': 'd9c0', 'FLD m64': 'dd03', 'FADD m32': 'd803', 'FSTP m64': 'dd1b', 'FSQRT': 'd9fa', 'FLD m80': 'db2b', 'FCOMI': 'dbf0', 'FLDPI': 'd9eb' }; // prettier-ignore
const mmx = { 'PADDB': '0ffcc1', 'MOVQ mm, m64': '0f6f03', 'MOVQ m64, mm': '0f7f03', 'PSHUFB': '0f3800c1', 'PEXTRW': '0fc5c001', 'EMMS': '0f77', 'MASKMOVQ': '0ff7c1' }; // prettier-ignore
const exchange = { 'MOVQ2DQ': 'f30fd6c1', 'MOVDQ2Q': 'f20fd6c1' }; // prettier-ignore

describe('who may use x87 and MMX: SDM Vol. 3, tables 2-2 and 12-1', () => {
  const vectorOf = (hex: string, setUp: (cpu: Cpu) => void): number | undefined =>
    runBytes(hex, (cpu) => {
      fresh(cpu);
      setUp(cpu);
    }).events[0]?.vector;

  it.each(Object.entries(x87))('%s: #NM with EM or TS, #MF with an exception that waits', (_name, hex) => {
    expect([set(CR0.EM), set(CR0.TS), pending, () => {}].map((f) => vectorOf(hex, f))).toEqual([NM, NM, MF, undefined]);
  });
  it.each(Object.entries({ ...mmx, ...exchange }))('%s: #UD with EM, #NM with TS, #MF with an exception that waits', (_name, hex) => {
    expect([set(CR0.EM), set(CR0.TS), set(CR0.EM | CR0.TS), pending, () => {}].map((f) => vectorOf(hex, f))).toEqual([UD, NM, UD, MF, undefined]);
  });
  it.each([
    ['dd03', 'fault before #PF', set(CR0.TS), NM],
    ['dd03', 'an exception that waits comes before #PF', pending, MF],
    ['dd03', '#PF', () => {}, PF],
    ['dd1b', '#PF of a store, before its exceptions', (cpu: Cpu) => cpu.setU32(L.FCW, 0x340), PF],
    ['0f6f03', '#PF of MMX', () => {}, PF],
  ])('%s: %s', (hex, _name, setUp, vector) => {
    const run = runBytes(hex, (cpu) => {
      fresh(cpu);
      cpu.setGpr(RBX, 0x4000_0000_0000n);
      setUp(cpu);
    });
    expect(run.events[0]).toMatchObject({ vector, rip: BigInt(CODE) });
    expect([run.cpu.u32(L.FTW), run.cpu.u32(L.FSW) & 0x7f7e]).toEqual([0xffff, 0]);
  });
});

describe('pointers of the last instruction: SDM Vol. 1, 8.1.8', () => {
  const pointers = (cpu: Cpu): bigint[] => [cpu.u64(L.FIP) - BigInt(CODE), cpu.u64(L.FDP) - BigInt(DATA)];

  it.each([
    ['emitted code', 'dd4308', 0n, 8n],
    ['what emitted code leaves to the helper (a denormal)', 'd94310', 0n, 0x10n],
    ['a helper', 'db6b20', 0n, 0x20n],
    ['a prefix belongs to the instruction', '90 48dd4308', 1n, 8n],
    ['an instruction without an operand leaves FDP', 'dd4308 d9e8', 3n, 8n],
    ['control instructions leave them', 'dd4308 d97b30 9b dfe0', 0n, 8n],
  ])('%s', (_name, hex, fip, fdp) => {
    const { cpu, events } = runBytes(hex, (c, machine) => {
      fresh(c);
      machine.memory.write(DATA + 0x10, 4, 1);
    });
    expect(events).toEqual([]);
    expect(pointers(cpu)).toEqual([fip, fdp]);
  });

  it('#MF is at the next waiting instruction, FIP and FOP at the one that caused it', () => {
    // FLDCW with ZM clear, FLD1, FLDZ, FDIVP, NOP, WAIT
    const { cpu, events } = runBytes('d92b d9e8 d9ee def9 90 9b', (c, machine) => {
      fresh(c);
      machine.memory.write(DATA, 2, 0x37b);
    });
    expect(events[0]).toMatchObject({ vector: MF, rip: BigInt(CODE + 9) });
    expect([cpu.u64(L.FIP), cpu.u32(L.FOP), cpu.u32(L.FSW) & 0x84]).toEqual([BigInt(CODE + 6), 0x6f9, 0x84]);
  });
});

describe('with CR0.NE clear: SDM Vol. 1, 8.7.2', () => {
  it('an unmasked exception raises IRQ 13, a write to port F0h ends that, FNCLEX lets the next one through', () => {
    const run = (hex: string): { lines: string; events: number } => {
      const { machine, events } = runBytes(hex, (c, m) => {
        fresh(c);
        c.cr0 &= ~BigInt(CR0.NE);
        c.setGpr(2, 0xf0n);
        m.memory.write(DATA, 2, 0x37b);
      });
      const device = machine.devices.all.find((d) => d.name === 'coprocessor-error')!;
      return { lines: device.describe(), events: events.length };
    };
    const divide = 'd92b d9e8 d9ee def9';
    const asserted = { lines: 'IRQ 13 asserted, IGNNE# not asserted', events: 0 };
    expect(run(divide)).toEqual(asserted);
    expect(run(`${divide} ee d9e8`)).toEqual({ lines: 'IRQ 13 not asserted, IGNNE# asserted', events: 0 });
    expect(run(`${divide} ee dbe2`)).toEqual({ lines: 'IRQ 13 not asserted, IGNNE# not asserted', events: 0 });
    expect(run(`${divide} ee dbe2 def9`)).toEqual(asserted);
    expect(run('d9e8 d9ee def9')).toEqual({ lines: 'IRQ 13 not asserted, IGNNE# not asserted', events: 0 }); // masked
  });
});
