import { describe, expect, it } from 'vitest';
import { CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { bareMachine, CODE, DATA } from '../support/bare-machine.ts';
import { bytes } from './pair.ts';
import { quickCases } from './quick-cases.ts';

const ADDRESS = 0x1234_5678_9000n;
const [RAX, RBX, R13] = [0, 3, 13] as const;

/** The CR3 in use, to be loaded again. */
const sameCr3 = (cpu: Cpu): void => cpu.setGpr(RBX, cpu.cr3);

describe('INVLPG: quick and general', () => {
  const at = (register: number) => (cpu: Cpu) => cpu.setGpr(register, ADDRESS);
  quickCases([
    { name: 'a register', code: '0f 01 38', row: 'invlpg', prepare: at(RAX) },
    { name: 'a register and a displacement', code: '41 0f 01 7d 80', row: 'invlpg', prepare: at(R13) },
    { name: 'any address', code: '0f 01 38', row: 'invlpg' },
    { name: 'a wide displacement', code: '0f 01 b8 00 10 00 00', row: 'invlpg', general: true },
    { name: 'with an index', code: '0f 01 3c 18', row: 'invlpg', general: true },
    { name: 'relative to RIP', code: '0f 01 3d 00 00 00 00', row: 'invlpg', general: true },
    { name: 'by GS', code: '65 0f 01 38', row: 'invlpg', general: true },
    { name: 'with a 32-bit address', code: '67 0f 01 38', row: 'invlpg', general: true },
    { name: 'at CPL 3', code: '0f 01 38', row: 'invlpg', cpl: 3, general: true },
    { name: 'with PCIDs', code: '0f 01 38', row: 'invlpg', general: true, prepare: (cpu) => (cpu.cr4 |= BigInt(CR4.PCIDE)) },
  ]);
});

describe('MOV to CR3: quick and general', () => {
  quickCases([
    { name: 'the same', code: '0f 22 db', row: 'mov_cr_r', prepare: sameCr3 },
    { name: 'bits that are ignored', code: '0f 22 db', row: 'mov_cr_r', prepare: (cpu) => cpu.setGpr(RBX, cpu.cr3 | 0x18n) },
    { name: 'address bits that the processor has not', code: '0f 22 db', row: 'mov_cr_r', general: true, prepare: (cpu) => cpu.setGpr(RBX, cpu.cr3 | (1n << 51n)) },
    { name: 'bit 63 without PCIDs', code: '0f 22 db', row: 'mov_cr_r', general: true, prepare: (cpu) => cpu.setGpr(RBX, cpu.cr3 | (1n << 63n)) },
    { name: 'at CPL 3', code: '0f 22 db', row: 'mov_cr_r', cpl: 3, general: true, prepare: sameCr3 },
    { name: 'CR2', code: '0f 22 d3', row: 'mov_cr_r', general: true },
    {
      name: 'with PCIDs',
      code: '0f 22 db',
      row: 'mov_cr_r',
      general: true,
      prepare(cpu) {
        sameCr3(cpu);
        cpu.cr4 |= BigInt(CR4.PCIDE);
      },
    },
  ]); // prettier-ignore
});

/** Linear 1 GiB, mapped by a table of its own; the entry of the identity map that DATA lies in; what it leads to afterwards. */
const SMALL = 0x4000_0000;
const TABLE = 0xc000;
const BIG_ENTRY = 0x3008;
const ELSEWHERE = 0x60_0000;

/** Loads at RBX and R8 fill the TLB, the entry at RSI becomes RDX, then the instruction, then loads again. */
const program = (instruction: string): string => `48 8b 03 49 8b 00 48 89 16 ${instruction} 48 8b 0b 4d 8b 08 eb fe`;

describe('what the TLB held is gone', () => {
  it.each([
    ['nothing, for comparison', '90', SMALL, [1, 2]],
    ['INVLPG of a page of 4 KBytes', '0f 01 3b', SMALL, [3, 2]],
    ['MOV to CR3', '0f 22 df', SMALL, [3, 2]],
    ['nothing, of a page of 2 MBytes', '90', DATA, [1, 2]],
    ['INVLPG of a page of 2 MBytes, all of it', '0f 01 3b', DATA, [3, 4]],
    ['INVLPG of a page of 2 MBytes by another piece', '41 0f 01 78 10', DATA, [3, 4]],
    ['MOV to CR3, of a page of 2 MBytes', '0f 22 df', DATA, [3, 4]],
  ] as const)('%s', (_, instruction, linear, expected) => {
    const machine = bareMachine();
    const { memory } = machine;
    const cpu = machine.cpus[0]!;
    const big = linear === DATA;
    memory.write64(0x2008, BigInt(TABLE - 0x1000) | 7n);
    memory.write64(TABLE - 0x1000, BigInt(TABLE) | 7n);
    memory.write64(TABLE, BigInt(DATA) | 7n);
    memory.write64(TABLE + 8, BigInt(DATA + 0x1000) | 7n);
    memory.write64(DATA, 1n);
    memory.write64(DATA + 0x1000, 2n);
    memory.write64(ELSEWHERE + 0x10_0000, 3n);
    memory.write64(ELSEWHERE + 0x10_1000, 4n);
    memory.poke(CODE, bytes(program(instruction)));
    cpu.setGpr(RBX, BigInt(linear));
    cpu.setGpr(8, BigInt(linear + 0x1000));
    cpu.setGpr(6, BigInt(big ? BIG_ENTRY : TABLE));
    cpu.setGpr(2, big ? BigInt(ELSEWHERE) | 0x87n : BigInt(ELSEWHERE + 0x10_0000) | 7n);
    cpu.setGpr(7, cpu.cr3);
    machine.run(200);
    expect([cpu.gpr(RAX), cpu.gpr(1), cpu.gpr(9)]).toEqual([2n, ...expected.map(BigInt)]);
  });
});
