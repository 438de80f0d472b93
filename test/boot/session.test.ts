/** What a person at gdb does, on the embedded guest: one gdb session a test, over TCP. */
import { describe, expect, it } from 'vitest';
import { runGdb, type GdbOptions } from '../support/gdb.ts';
import { waitingMachine, type Run } from '../support/vmxscope.ts';

interface Session {
  readonly output: string;
  readonly machine: Run;
}

/** A machine with gdb on it; ends with `monitor quit` and must then end with status 0. */
async function session(commands: readonly string[], options: GdbOptions & { readonly args?: readonly string[] } = {}): Promise<Session> {
  const running = await waitingMachine(['--serial', 'none', '--timeout', '100', ...(options.args ?? [])]);
  try {
    const { output } = await runGdb([`target remote :${running.port}`, ...commands, 'monitor quit'], { timeout: 90_000, ...options });
    const machine = await running.ended;
    expect(machine.status, machine.stderr + output).toBe(0);
    return { output, machine };
  } finally {
    running.child.kill('SIGKILL');
  }
}

/** Text between two marks that `say` prints. */
const say = (mark: string): string => `printf "\\n@${mark}\\n"`;
function part(output: string, mark: string): string {
  const found = new RegExp(`@${mark}\\n([^]*?)(?:@\\w+\\n|$)`).exec(output);
  if (!found) throw new Error(`no @${mark} in:\n${output}`);
  return found[1]!;
}

describe('symbols and breakpoints', () => {
  it('come from the target: no file is named, and breakpoints set before anything is loaded hit', async () => {
    const { output } = await session([
      'break entry',
      'break row_from_asm',
      'hbreak bsp_proc',
      say('entry'),
      'continue',
      'info breakpoints',
      'bt',
      'x/8i $pc',
      say('second'),
      'continue',
      'p/x (unsigned long)$pc',
      'delete 1 2',
      say('linked'),
      'tbreak uefi_entry_start',
      'continue',
      'tbreak row_from_asm',
      'continue',
      'p/x (unsigned long)$pc',
      say('hardware'),
      'continue',
    ]);
    expect(output).toContain('Breakpoint 1 at 0x40101000: file guest/src/early/entry.S');
    const entry = part(output, 'entry');
    expect(entry).toMatch(/Breakpoint 1(\.\d)?, entry \(\) at guest\/src\/early\/entry\.S:\d+/);
    // Where the loader put it and where it is linked.
    expect(entry).toMatch(/1\.1 +y +0x0000000040101000|1\.1 +y +0x000000003f/);
    expect(entry).toMatch(/#1 .* in efi_main /);
    expect(entry).toMatch(/=> 0x3f[0-9a-f]+ <entry>:\s+push +%rsi/);
    expect(part(output, 'second')).toMatch(/\$\d+ = 0x3f[0-9a-f]+/);
    expect(part(output, 'linked')).toMatch(/\$\d+ = 0x401[0-9a-f]+/);
    expect(part(output, 'hardware')).toMatch(/Breakpoint 3, bsp_proc \(\) at guest\/src\/core\/vmm_main\.c:\d+/);
  });

  it('vmlaunch: as a symbol and as an instruction executed anywhere', async () => {
    const { output } = await session([
      'monitor break vmxon vmlaunch',
      'monitor break',
      say('vmxon'),
      'continue',
      'x/i $pc',
      say('vmlaunch'),
      'continue',
      'x/i $pc',
      'monitor break off',
      'break vmresume',
      say('vmresume'),
      'continue',
      'x/i $pc',
    ]);
    expect(part(output, 'vmxon')).toMatch(/CPU 0 is about to execute vmxon[^]*=> .*:\s+vmxon /);
    expect(part(output, 'vmlaunch')).toMatch(/CPU 0 is about to execute vmlaunch[^]*=> .*:\s+vmlaunch/);
    expect(part(output, 'vmresume')).toMatch(/hit Breakpoint|Breakpoint 1[^]*=> .*:\s+vmresume/);
  });

  it('conditions, ignore counts and commands', async () => {
    const { output } = await session([
      'tbreak vmm_main',
      'continue',
      `break row if *(char *)name == 'b'`,
      say('first'),
      'continue',
      'p (char *)name',
      'p $bpnum',
      'delete',
      'break row',
      'ignore $bpnum 2',
      say('third'),
      'continue',
      'p (char *)name',
    ]);
    expect(part(output, 'first')).toContain('"bsp_proc"');
    expect(part(output, 'third')).toContain('"vmmcall_boot_enable"');
  });
});

describe('looking and stepping', () => {
  it('registers, expressions, stepi, next, step, finish, until, source lines', async () => {
    const { output } = await session([
      'break vmm_main',
      'continue',
      say('registers'),
      'info registers',
      'p $cr3',
      'p $efer',
      'p $vmx',
      say('stepi'),
      'p/x (unsigned long)$pc',
      'stepi',
      'p/x (unsigned long)$pc',
      say('next'),
      'next',
      'next',
      say('step'),
      'next',
      'step',
      'bt',
      say('finish'),
      'finish',
    ]);
    const registers = part(output, 'registers');
    for (const name of ['rax', 'r15', 'rip', 'eflags', 'fs_base', 'cr0', 'cr3', 'cr4', 'efer', 'vmx', 'vmcs_pointer'])
      expect(registers).toMatch(new RegExp(`^${name} +0x`, 'm'));
    expect(registers).toMatch(/^cr0 .*\[ .*PG.*\]/m);
    expect(registers).toMatch(/\$\d+ = .*0x3f[0-9a-f]+/);
    const [before, after] = [...part(output, 'stepi').matchAll(/\$\d+ = 0x([0-9a-f]+)/g)].map((m) => parseInt(m[1]!, 16));
    expect(after! - before!).toBeGreaterThan(0);
    expect(after! - before!).toBeLessThan(16);
    expect(part(output, 'next')).toMatch(/^\d+\s+ROW\(\);$[^]*^\d+\s+kprintf/m);
    expect(part(output, 'step')).toMatch(/#0 .*\n#1 .* in vmm_main \(\)/);
    expect(part(output, 'finish')).toContain('vmm_main () at');
  });

  it('goes through VM entry and back with stepi, in real mode too', async () => {
    const { output } = await session([
      'break vmlaunch',
      'continue',
      'stepi',
      say('guest'),
      'p $cpu_mode',
      'p $vmx',
      'p $cs_base',
      'bt',
      'stepi 3',
      say('long'),
      'p $cpu_mode',
      'bt 1',
      'delete',
      'break vm_exit',
      say('exit'),
      'continue',
      'p $vmx',
      'p $vm_exit_reason',
      'bt',
    ]);
    expect(part(output, 'guest')).toMatch(/= real[^]*= guest/);
    expect(part(output, 'long')).toMatch(/= long64[^]*uefi_entry_ret/);
    expect(part(output, 'exit')).toMatch(/= root[^]*#1 .*vt__vm_run [^]*callmain64/);
  });

  it('memory: what is not there is an error, writes are read back', async () => {
    const { output } = await session([
      'tbreak vmm_main',
      'continue',
      say('hole'),
      'x/4gx 0x7fff12345000',
      'p *(long *)0xdead00000000',
      say('write'),
      'set var processors_arrived = 77',
      'p processors_arrived',
      'set $rbx = 0x1234',
      'p/x $rbx',
      say('find'),
      'x/s &*"x"',
    ]);
    expect(part(output, 'hole').match(/Cannot access memory at address/g)).toHaveLength(2);
    expect(part(output, 'write')).toMatch(/= 77[^]*= 0x1234/);
  });
});

describe('watchpoints', () => {
  it('watch: stops after the writing instruction with both values', async () => {
    const { output } = await session([
      'tbreak vmmcall_boot_enable',
      'continue',
      'watch continue_flag',
      'p continue_flag',
      'x/8xb &continue_flag',
      say('hit'),
      'continue',
      'bt 1',
      'x/i $pc',
    ]);
    const hit = part(output, 'hit');
    expect(hit).toMatch(/Hardware watchpoint 2: continue_flag\s+Old value = false\s+New value = true/);
    expect(hit).toMatch(/#0 .*vmmcall_boot_thread .*vmmcall_boot\.c:19/); // the line after continue_flag = true
  });

  it.each([
    [0, '0x20'],
    [1, '0x7'],
    [3, '0x40'],
  ])('watch: byte %i of an eight-byte write', async (byte, value) => {
    const { output } = await session([
      'tbreak vmmcall_boot_enable',
      'continue',
      `watch *((char *)&request + ${byte})`,
      say('hit'),
      'continue',
      'p/x *((char *)&request + ' + `${byte})`,
    ]);
    const hit = part(output, 'hit');
    expect(hit).toMatch(/Old value = 0 [^]*New value = /);
    expect(hit).toMatch(/vmmcall_boot\.c:34/);
    expect(hit).toContain(`= ${value}`);
  });

  it('rwatch and awatch: the guest’s reads, not the debugger’s', async () => {
    const { output } = await session([
      'tbreak vmmcall_boot_enable',
      'continue',
      'awatch request.function',
      say('write'),
      'continue',
      'delete',
      'rwatch request.function',
      'p request',
      'x/2gx &request',
      'monitor x /2gx &request',
      say('read'),
      'continue',
      'bt',
    ]);
    expect(part(output, 'write')).toMatch(
      /Hardware access \(read\/write\) watchpoint 2: request\.function\s+Old value = \(void \(\*\)\(void \*\)\) 0x0\s+New value = .*bsp_init_thread/,
    );
    const read = part(output, 'read');
    expect(read).toMatch(/Hardware read watchpoint 3: request\.function\s+Value = .*bsp_init_thread/);
    // `call *(%rdi)` read it: bsp_init_thread is about to begin, called by vmmcall_boot_thread.
    expect(read).toMatch(/#0 +bsp_init_thread .*\n#1 .*vmmcall_boot_thread/);
  });
});

describe('connections', () => {
  it('Ctrl-C while running, threads of a machine with two CPUs', async () => {
    let sent = false;
    const { output } = await session([say('run'), 'continue', say('stopped'), 'info threads', 'thread 2', 'p $vmx', 'bt 1'], {
      args: ['--smp', '2'],
      onOutput: (text, interrupt) => {
        if (!sent && text.includes('@run')) setTimeout(interrupt, 2500);
        sent ||= text.includes('@run');
      },
    });
    expect(part(output, 'run')).toContain('SIGINT');
    expect(part(output, 'stopped')).toMatch(/1 +Thread 1\.1 "cpu0"[^]*2 +Thread 1\.2 "cpu1" \(/);
  });

  it('detach lets it run on; the next gdb finds it running in the guest', async () => {
    const running = await waitingMachine(['--timeout', '100']);
    try {
      await runGdb([`target remote :${running.port}`, 'break vmm_main', 'continue', 'detach']);
      await running.until(/\[row\] uefi_entry_ret/, 'stdout');
      const { output } = await runGdb([`target remote :${running.port}`, 'p $vmx', 'info breakpoints', 'monitor quit']);
      expect(output).toContain('= guest');
      expect(output).toContain('No breakpoints or watchpoints');
      expect((await running.ended).status).toBe(0);
    } finally {
      running.child.kill('SIGKILL');
    }
  });

  it('kill resets the machine, which waits; a new gdb boots it again', async () => {
    const running = await waitingMachine(['--serial', 'none', '--timeout', '100']);
    try {
      const first = await runGdb([`target remote :${running.port}`, 'break vmlaunch', 'continue', 'p $vmx', 'kill']);
      expect(first.output).toContain('= root');
      const again = await runGdb(
        [
          `target remote :${running.port}`,
          'p $vmx',
          'break vmm_main',
          'continue',
          'bt',
          'monitor system_reset',
          'break bsp_proc',
          'continue',
          'monitor quit',
        ],
        { timeout: 60_000 },
      );
      expect(again.output).toMatch(/= off[^]*#0 +vmm_main/);
      expect((await running.ended).status).toBe(0);
    } finally {
      running.child.kill('SIGKILL');
    }
  });

  it('a second gdb is refused with a reason, the first one goes on', async () => {
    const running = await waitingMachine(['--serial', 'none', '--timeout', '100']);
    try {
      let second: Promise<{ output: string }> | undefined;
      const first = runGdb([`target remote :${running.port}`, say('attached'), 'shell sleep 4', 'break vmm_main', 'continue', 'monitor quit'], {
        timeout: 60_000,
        onOutput: (text) => void (text.includes('@attached') && (second ??= runGdb([`target remote :${running.port}`, 'p $pc']))),
      });
      expect((await first).output).toContain('vmm_main () at');
      expect((await second!).output).toMatch(/another debugger is attached/);
      expect((await running.ended).stderr).toMatch(/refused: another debugger is attached/);
    } finally {
      running.child.kill('SIGKILL');
    }
  });
});

describe('monitor commands', () => {
  const table: readonly (readonly [command: string, shows: RegExp])[] = [
    ['help', /^info TOPIC[^]*^system_reset/m],
    ['info registers', /^CPU 0: 64-bit, VMX guest[^]*RIP=[^]*CR3=/],
    ['info mem', /^4-level paging, CR3 [^]*rwx?$/m],
    ['info tlb', /^context \d+, \d+ of \d+ entries/m],
    ['info lapic', /^lapic0: id 0/m],
    ['info vmcs', /^VMCS at 0x[0-9a-f]+, launch state launched[^]*Guest RIP/],
    ['info vmcs host', /Host RIP/],
    ['info efi', /^system table 0x[^]*memory map:/],
    ['info cpus', /^\* CPU 0: pc 0x[0-9a-f]{16}, 64-bit, VMX guest/m],
    ['xp /2gx 0x1000', /^0*1000: 0x[0-9a-f]{16} 0x[0-9a-f]{16}$/m],
    ['gva2gpa $pc', /PML4E|physical|address/],
    ['gva2gpa 0x3ff55000', /^0x0*3ff55000: 4-level paging[^]*physical 0x3ff55000/],
    ['gpa2hpa 0x1000', /0x0*1000\b[^]*0x0*1000\b/],
    ['vmx last-failure', /no VMX instruction and no VM entry has failed/],
    ['inof mem', /info/],
    ['info mme', /mem/],
    ['xp /2gx', /[Uu]sage|xp/],
    ['gva2gpa', /[Uu]sage|gva2gpa/],
  ];
  let shown: Promise<Session> | undefined;
  it.each(table)('%s', async (command, pattern) => {
    shown ??= session(['break uefi_entry_ret', 'continue', ...table.flatMap(([c], n) => [say(`m${n}`), `monitor ${c}`]), say('end')], {});
    const { output } = await shown;
    const text = part(output, `m${table.findIndex(([c]) => c === command)}`);
    expect(text).toMatch(pattern);
    expect(text).not.toMatch(/internal error|\.ts:\d+/);
  });

  it('quit ends vmxscope with status 0, system_reset starts the boot again', async () => {
    const { output, machine } = await session(['break vmm_main', 'continue', 'monitor system_reset', say('again'), 'continue', 'bt 1']);
    expect(part(output, 'again')).toMatch(/vmm_main \(\) at/);
    expect(machine.stderr).toContain('quit');
  });
});
