import { afterEach, describe, expect, test } from 'vitest';
import { createMonitor } from '../../src/gdbstub/monitor/index.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import { runGdb, type GdbOptions } from '../support/gdb.ts';
import { startHarness, type Harness, type HarnessOptions } from './harness.ts';

const open: Harness[] = [];
afterEach(() => {
  for (const h of open.splice(0)) h.close();
});

async function harness(options: HarnessOptions = {}): Promise<Harness> {
  const h = await startHarness(options);
  open.push(h);
  return h;
}

/** Connects real gdb to a toy machine and gives what it printed. */
async function session(commands: readonly string[], options: HarnessOptions = {}, gdb: GdbOptions = {}): Promise<{ output: string; h: Harness }> {
  const h = await harness(options);
  const { output } = await runGdb([h.connect, ...commands], gdb);
  return { output, h };
}

describe('real gdb', () => {
  test('accepts the target description and prints flags by name', async () => {
    const { output } = await session([
      'info registers',
      'p $cr0',
      'p $cr4',
      'p $efer',
      'p $eflags',
      'p $vmx',
      'p $cpu_mode',
      'p $vm_exit_reason',
      'p $xmm0.uint128',
      'p $st0',
      'p $cr8',
      'p $_siginfo',
    ]);
    expect(output).not.toMatch(/warning: (while|Could)|too long|Truncated/);
    expect(output).toMatch(/^rip +0x100000/m);
    expect(output).toMatch(/^k_gs_base/m);
    for (const line of [
      '$1 = [ PE ET NE ]',
      '$2 = [ PAE VMXE ]',
      '$3 = [ LME LMA ]',
      '$4 = [ IF IOPL=0 ]',
      '$5 = off',
      '$6 = long64',
      '$7 = NONE',
      '$8 = 0',
      '$9 = 0',
      '$10 = 3',
    ]) {
      expect(output).toContain(line);
    }
  });

  test("has QEMU's register numbers", async () => {
    const { output } = await session(['maint print registers']);
    const numbers = new Map([...output.matchAll(/^ *(\w+) +(\d+) +\d+ +\d+ +(\d+) /gm)].map((m) => [m[1]!, m]));
    expect(numbers.size).toBeGreaterThan(60);
    const remote = (await session(['maint print remote-registers'])).output;
    const expected = { rax: 0, rbx: 1, rsp: 7, r15: 15, rip: 16, eflags: 17, cs: 18, gs: 23, fs_base: 24, gs_base: 25, k_gs_base: 26, cr0: 27, cr2: 28, cr3: 29, cr4: 30, cr8: 31, efer: 32, st0: 33, st7: 40, fctrl: 41, fop: 48, xmm0: 49, xmm15: 64, mxcsr: 65 }; // prettier-ignore
    for (const [name, n] of Object.entries(expected)) expect(remote, name).toMatch(new RegExp(`^ *${name} .*  ${n} +\\d+`, 'm'));
  });

  test('has YMM registers when the CPU has AVX', async () => {
    const { output } = await session(
      [
        'p $ymm0',
        'p $ymm3.v8_int32[7] = 0x12345678',
        'p $ymm3.v4_int64[0] = 5',
        'p/x $ymm3.v8_int32',
        'p/x $xmm3.uint128',
        'p $ymm15h',
        'info registers ymm3',
      ],
      { features: ['avx'] },
    );
    expect(output).not.toMatch(/warning: (while|Could)|too long|Truncated/);
    expect(output).toMatch(/\$1 = \{.*v8_float = \{/);
    expect(output).toContain('= {0x5, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x12345678}');
    expect(output).toMatch(/\$5 = 0x5\n/);
    expect(output).toMatch(/^ymm3 .*v4_int64 = \{0x5, 0x0, 0x0, 0x12345678/m);
  });

  test('has none when it has not', async () => {
    const { output } = await session(['p $ymm0', 'p $xmm0.uint128'], { features: ['-avx'] });
    expect(output).toContain('$1 = void');
    expect(output).toContain('$2 = 0');
  });

  test('disassembles, breaks, continues, steps', async () => {
    const { output, h } = await session([
      'x/3i $pc',
      'break *0x100007',
      'c',
      'p $rip',
      'stepi',
      'p $rax',
      'c',
      'p $rax',
      'info breakpoints',
      'delete',
      'detach',
    ]);
    expect(output).toMatch(/=> 0x100000:\tcall +0x100007/);
    expect(output).toContain('Breakpoint 1, 0x0000000000100007');
    expect(output).toContain('$2 = 1');
    expect(output).toContain('$3 = 1');
    expect(output).toContain('breakpoint already hit 2 times');
    expect(h.machine.breakpointCount).toBe(0);
  });

  test('hbreak, tbreak, conditions, until', async () => {
    const { output } = await session(['hbreak *0x100007 if $rax == 3', 'c', 'p $rax', 'tbreak *0x10001a', 'c', 'p $pc']);
    expect(output).toContain('Hardware assisted breakpoint 1');
    expect(output).toContain('$1 = 3');
    expect(output).toContain('Temporary breakpoint 2');
  });

  test('a breakpoint may be where nothing is mapped', async () => {
    const { output } = await session(['break *0xffffffff80000000', 'break *0x100007', 'c']);
    expect(output).not.toContain('Cannot insert');
    expect(output).toContain('Breakpoint 2, 0x0000000000100007');
  });

  test('watch, rwatch, awatch', async () => {
    const { output } = await session([
      'watch *(long*)0x102000',
      'c',
      'c',
      'delete',
      'rwatch *(long*)0x102000',
      'c',
      'delete',
      'awatch *(int*)0x102000',
      'c',
    ]);
    expect(output).toMatch(/Hardware watchpoint 1: .*\n\nOld value = 0\nNew value = 1/);
    expect(output).toMatch(/Old value = 1\nNew value = 2/);
    expect(output).toMatch(/Hardware read watchpoint 2: .*\n\nValue = 2/);
    expect(output).toMatch(/Hardware access \(read\/write\) watchpoint 3: .*\n\nOld value = 2\nNew value = 3/);
  });

  test('writes memory and registers, and says why not', async () => {
    const { output } = await session([
      'set var *(long*)0x102000 = 0x1122334455667788',
      'x/gx 0x102000',
      'p $rbx = 7',
      'p $rbx',
      'p $vmx = 1',
      'p $cr2 = 0x5000',
      'p $xmm3.uint128 = 5',
      'p $st0 = 1.5',
      'p $cr2',
      'p $st0',
      'x/x 0x80000000',
      'set var *(char*)0x80000000 = 1',
    ]);
    expect(output).toContain('0x102000:\t0x1122334455667788');
    expect(output).toContain('E.vmx is read-only');
    expect(output).toMatch(/\(void \*\) 0x5000/);
    expect(output.match(/= 1\.5/g)).toHaveLength(2);
    expect(output.match(/Cannot access memory at address 0x80000000/g)).toHaveLength(2);
  });

  test('a read across the end of memory gives what there is, never other bytes', async () => {
    const { output } = await session(['x/4xb 0x3ffffe']);
    expect(output).toMatch(/0x3ffffe:\t0x00\t0x00\tCannot access memory at address 0x400000/);
  });

  test('Ctrl-C stops an endless loop', async () => {
    let sent = false;
    const { output, h } = await session(
      ['echo going\\n', 'c', 'p $rip >= 0x100000', 'detach'],
      {},
      {
        onOutput: (text, interrupt) => {
          if (sent || !text.includes('going')) return;
          sent = true;
          setTimeout(interrupt, 300);
        },
      },
    );
    expect(output).toContain('received signal SIGINT');
    expect(output).toContain('$1 = 1');
    expect(h.machine.executed).toBeGreaterThan(1000);
  });

  test('two CPUs are two threads', async () => {
    const { output } = await session(['info threads', 'thread 2', 'p $rsp', 'stepi', 'thread apply all p $rip'], { cpus: 2 });
    expect(output).toMatch(/\* 1 +Thread 1\.1 "cpu0" \(64-bit\) 0x0*100000/);
    expect(output).toMatch(/ {2}2 +Thread 1\.2 "cpu1" \(64-bit\)/);
    expect(output).toContain('$1 = (void *) 0x201000');
    expect(output).toMatch(/Thread 2 .*\n\$2 = .* 0x100007/);
    expect(output).toMatch(/Thread 1 .*\n\$3 = .* 0x100000/);
  });

  test('scheduler-locking runs one CPU alone', async () => {
    const { output } = await session(['set scheduler-locking on', 'thread 2', 'break *0x100007', 'c', 'thread 1', 'p $rip'], { cpus: 2 });
    expect(output).toMatch(/Thread 2 "cpu1" hit Breakpoint 1/);
    expect(output).toMatch(/\$1 = .* 0x100000/);
  });

  test('detach, reconnect, kill, reconnect, extended run', async () => {
    const h = await harness();
    expect((await runGdb([h.connect, 'break *0x100007', 'c', 'detach'])).output).toContain('Breakpoint 1,');
    expect(h.server.runner.running).toBe(true);
    expect((await runGdb([h.connect, 'p $rip >= 0x100000', 'kill'])).output).toMatch(/\$1 = 1\n.*killed/);
    expect(h.machine.resets).toBe(1);
    expect((await runGdb([h.connect, 'p $rip', 'disconnect'])).output).toContain('0x100000');
    const { output } = await runGdb([h.connect.replace('remote', 'extended-remote'), 'stepi', 'set remote exec-file /x', 'starti', 'p $rip']);
    expect(h.machine.resets, 'gdb kills before it runs').toBe(3);
    expect(output).toMatch(/\$1 = .* 0x100000/);
  });

  test('a second gdb is sent away and the first goes on', async () => {
    const h = await harness();
    let second: Promise<{ output: string }> | undefined;
    const first = await runGdb([h.connect, 'echo here\\n', 'shell sleep 1', 'stepi', 'p $rip'], {
      onOutput: (text) => {
        if (text.includes('here')) second ??= runGdb([h.connect]);
      },
    });
    expect(first.output).toMatch(/\$1 = .* 0x100007/);
    expect((await second!).output).toContain('another debugger is attached');
  });

  test('monitor commands', async () => {
    const h = await harness();
    const target = h.target as { monitor?: unknown };
    target.monitor = createMonitor(h.machine);
    const { output } = await runGdb([
      h.connect,
      'monitor help',
      'monitor info cpus',
      'monitor xp /2xg 0x100000',
      'monitor nonesuch',
      'p 42',
      'monitor break vmlaunch',
    ]);
    expect(output).toContain('gva2gpa ADDR');
    expect(output).toContain('* CPU 0: pc 0x0000000000100000');
    expect(output).toContain('0000000000100000: 0x48f9eb00000002e8');
    expect(output).toMatch(/unknown command "nonesuch".*\n(.*\n)?\$1 = 42/);
    expect(output).toContain('stopping on vmlaunch');
    expect(h.machine.vmxNames.size, 'ended with the connection').toBe(0);
  });

  test('a triple fault stays inspectable', async () => {
    const { output } = await session(['c', 'p $rip', 'info threads'], { code: Uint8Array.from([0x90, 0x0f, 0x0b]) });
    expect(output).toContain('triple fault on CPU 0');
    expect(output).toContain('received signal SIGSEGV');
    expect(output).toMatch(/\$1 = .* 0x100001/);
    expect(output).toContain('shut down');
  });

  test('power-off ends the program', async () => {
    const { output } = await session(['c', 'info threads'], { code: Uint8Array.from([0x90, 0xe6, 0xf4]) });
    expect(output).toContain('exited normally');
  });

  test('in real mode the program counter is linear', async () => {
    const h = await harness();
    const cpu = h.machine.cpus[0]!;
    loadControlRegisters(cpu, { cr0: 0x30n, cr3: 0n, cr4: 0n, efer: 0n });
    cpu.segments[L.CS]!.load(0xf000, 0xf_0000n, 0xffff, 0x9b);
    cpu.setU32(L.CODE_SIZE, 0);
    cpu.rip = 0xfff0n;
    const { output } = await runGdb([h.connect, 'p $rip', 'p $cpu_mode', 'p/x $cs_base', 'p $rip = 0xf1234', 'info threads']);
    expect(output).toMatch(/\$1 = .* 0xffff0/);
    expect(output).toContain('$2 = real');
    expect(output).toContain('$3 = 0xf0000');
    expect(output).toContain('(real mode)');
    expect(cpu.rip).toBe(0x1234n);
  });

  test('physical mode and single-step flags of QEMU', async () => {
    const { output } = await session([
      'maint packet Qqemu.PhyMemMode:1',
      'maint packet qqemu.PhyMemMode',
      'maint packet qqemu.sstepbits',
      'x/xb 0x100000',
    ]);
    expect(output).toMatch(/received: "OK"[^]*received: "1"[^]*received: "ENABLE=1"/);
    expect(output).toContain('0xe8');
  });
});
