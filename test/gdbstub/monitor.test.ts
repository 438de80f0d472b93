import { describe, expect, test } from 'vitest';
import { createMonitor, monitorDocs } from '../../src/gdbstub/monitor/index.ts';
import { parseAddress } from '../../src/gdbstub/monitor/address.ts';
import { parseFormat } from '../../src/gdbstub/monitor/dump.ts';
import { nearest } from '../../src/text/suggest.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import { LOOP, START } from './harness.ts';
import { ToyMachine } from './toy-machine.ts';

function monitor(topics: Parameters<typeof createMonitor>[1] = {}) {
  const machine = new ToyMachine(2, START, LOOP);
  const part = createMonitor(machine, topics);
  return { machine, part, run: (line: string) => part.execute(1, line) };
}

/** 4-level tables at 0x180000: 0-2M identity, writable, by one large page; 0x40000000 a read-only 4K page at 0x103000, user. */
function enablePaging(machine: ToyMachine): void {
  const { memory } = machine;
  const [pml4, pdpt, pd0, pd1, pt] = [0x18_0000, 0x18_1000, 0x18_2000, 0x18_3000, 0x18_4000];
  memory.write64(pml4, BigInt(pdpt | 7));
  memory.write64(pdpt, BigInt(pd0 | 7));
  memory.write64(pdpt + 8, BigInt(pd1 | 7));
  memory.write64(pd0, 0x83n);
  memory.write64(pd1, BigInt(pt | 7));
  memory.write64(pt, 0x10_3005n);
  for (const cpu of machine.cpus) loadControlRegisters(cpu, { cr0: 0x8000_0031n, cr3: BigInt(pml4), cr4: 0x2020n, efer: 0x500n });
}

/** Command, and a part of its output; a leading ! means that it fails. */
const cases: readonly (readonly [command: string, output: string | RegExp])[] = [
  ['help', 'gva2gpa ADDR'],
  ['', '!a command is missing'],
  ['hlep', '!unknown command "hlep", did you mean "help"?'],
  ['frobnicate', '!unknown command "frobnicate". "monitor help" lists all'],
  ['info', 'cpus|'],
  ['info cpus', '* CPU 0: pc 0x0000000000100000, 64-bit'],
  ['info registers', 'RAX=0000000000000000'],
  ['info registers', 'CS  =0008 base 0000000000000000 limit ffffffff'],
  ['info regs', '!did you mean "registers"?'],
  ['info mem', 'paging is off'],
  ['info mem now', '!takes no argument'],
  ['info tlb', '0 of 1024 entries in use'],
  ['info constructor', '!info knows no topic'],
  ['info lapic', '!info knows no topic "lapic"'],
  ['xp /2xg 0x100000', '0000000000100000: 0xff48f9eb00000002e8'.slice(0, 18)],
  ['xp /4xb 0x100000', '0000000000100000: 0xe8 0x02 0x00 0x00'],
  ['xp /1dh 0x100005', '0000000000100005: -1557'],
  ['xp /b 0x100000', '0xe8'],
  ['xp 0x7fffffff', '!no memory at 0x7fffffff'],
  ['xp /2xg 0x3ffff8', 'no memory at 0x400000'],
  ['xp /9z 0', '!the format is'],
  ['xp', '!usage: xp'],
  ['xp $nonesuch', '!usage: xp'],
  ['x /2i $pc', /0000000000100000: call[q]? +0x100007\n0000000000100005: jmp/],
  ['x /xb $pc+5', '0xeb'],
  ['gva2gpa 0x1234', 'physical 0x1234'],
  ['gva2gpa', '!usage'],
  ['gpa2hpa 0x1000', 'not in a guest with EPT'],
  ['gpa2hpa -1', '!not a physical address'],
  ['gpa2hpa', '!usage'],
  ['break', 'none; '],
  ['break vmlaunch', 'stopping on vmlaunch'],
  ['break VMRESUME vmxon', 'stopping on vmresume vmxon'],
  ['break vmlanch', '!did you mean "vmlaunch"?'],
  ['break off vmxon', '!usage'],
  ['break off', 'no longer'],
  ['vmx last-failure', 'no VMX instruction and no VM entry has failed'],
  ['vmx stop-on-failure on', 'stop on VMX failure: on'],
  ['vmx stop-on-failure', '!usage'],
  ['vmx', '!usage'],
  ['system_reset', 'The machine is reset'],
];

describe('monitor', () => {
  test.each(cases)('%s', (command, expected) => {
    const result = monitor().run(command);
    const fails = typeof expected === 'string' && expected.startsWith('!');
    expect(result.failed ?? false).toBe(fails);
    if (typeof expected === 'string') expect(result.text).toContain(fails ? expected.slice(1) : expected);
    else expect(result.text).toMatch(expected);
  });

  test('every command is tried', () => {
    const tried = new Set([...cases.map(([c]) => c.split(' ')[0]), 'quit']);
    expect(monitorDocs.map((d) => d.command.split(' ')[0]!).filter((name) => !tried.has(name))).toEqual([]);
  });

  test('quit', () => expect(monitor().run('quit').quit).toBe(true));

  test('topics of the machine', () => {
    const { run } = monitor({ lapic: (cpu) => `lapic of cpu ${cpu.index}` });
    expect(run('info lapic').text).toBe('lapic of cpu 0');
    expect(run('info').text).toContain('lapic');
  });

  test('the commands act on the selected CPU', () => {
    const { part } = monitor();
    expect(part.execute(2, 'info cpus').text).toContain('* CPU 1');
  });

  test('stops on VMX instructions are kept, added to and ended with the client', () => {
    const { machine, run, part } = monitor();
    run('break vmlaunch');
    run('break vmxon');
    expect([...machine.vmxNames]).toEqual(['vmlaunch', 'vmxon']);
    run('break all');
    expect([...machine.vmxNames]).toContain('invept');
    part.release();
    expect(machine.vmxNames.size).toBe(0);
    expect(run('break').text).toContain('none');
  });

  test('info mem joins pages of equal rights', () => {
    const { machine, run } = monitor();
    enablePaging(machine);
    expect(run('info mem').text.split('\n')).toEqual([
      '4-level paging, CR3 0000000000180000',
      '0000000000000000-0000000000200000 0000000000200000 -rwx',
      '0000000040000000-0000000040001000 0000000000001000 ur-x',
    ]);
    expect(run('gva2gpa 0x40000010').text).toContain('physical 0x103010');
    expect(run('gva2gpa 0x50000000').text).toContain('not mapped');
  });

  test('16-bit code is disassembled as such', () => {
    const { machine, run } = monitor();
    const cpu = machine.cpus[0]!;
    loadControlRegisters(cpu, { cr0: 0x30n, cr3: 0n, cr4: 0n, efer: 0n });
    cpu.segments[L.CS]!.load(0x1000, 0x1_0000n, 0xffff, 0x9b);
    cpu.setU32(L.CODE_SIZE, 0);
    cpu.rip = 0x20n;
    machine.memory.poke(0x1_0020, Uint8Array.from([0xb8, 0x34, 0x12, 0xc3]));
    expect(run('x /2i $pc').text).toMatch(/0000000000010020: movw? +\$0x1234,%ax\n0000000000010023: ret/);
  });
});

test.each([
  ['/8xg', { count: 8, format: 'x', size: 8 }],
  ['/gx', { count: 1, format: 'x', size: 8 }],
  ['/3i', { count: 3, format: 'i', size: 4 }],
  ['/c', { count: 1, format: 'c', size: 1 }],
  ['/0x', undefined],
  ['/99999999x', undefined],
  ['/xx', undefined],
  ['x', undefined],
])('format %s', (text, format) => expect(parseFormat(text)).toEqual(format));

test.each([
  ['0x10', 0x10n],
  ['16', 16n],
  ['$pc + 8', START + 8n],
  ['$sp-0x8', 0x1f_fff8n],
  ['-1', 0xffff_ffff_ffff_ffffn],
  ['', undefined],
  ['10h', undefined],
  ['$', undefined],
  ['$toString', undefined],
  ['1+', 1n],
])('address %s', (text, value) => expect(parseAddress(new ToyMachine(1, START, LOOP).cpus[0]!, text)).toBe(value));

test.each([
  ['hlep', 'help'],
  ['inf', 'info'],
  ['zzzz', undefined],
])('nearest %s', (word, found) => expect(nearest(word, ['help', 'info', 'quit'])).toBe(found));
