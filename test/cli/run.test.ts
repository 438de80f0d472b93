import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program, Running, vmxscope } from '../support/vmxscope.ts';
import { contents, folder, image, programs } from './files.ts';

const guest = join(import.meta.dirname, '../../guest/bin');
const STACK = /^\s+at .+:\d+/m;

describe('how a run ends', () => {
  it.each<readonly [string, readonly number[], string[], number, RegExp]>([
    ['triple fault', programs.tripleFaults, [], 3, /triple fault on CPU 0: the processor shut down\n.*cpu0 at 0x[0-9a-f]+/],
    ['spins', programs.spins, ['--timeout', '1'], 4, /not finished after 1 s\n.*cpu0 at 0x[0-9a-f]+/],
    ['floods its serial port', programs.shouts, ['--timeout', '1', '--serial', 'none'], 4, /not finished after 1 s/],
    ['halts with interrupts off', programs.halts, ['--timeout', '1'], 4, /not finished after 1 s/],
    ['debug exit', programs.debugExit, [], 0x2b, /the guest wrote 21 to the debug exit port/],
    ['instruction limit', programs.spins, ['--stop-after', '5000000'], 0, /stopped after 5,000,000 instructions/],
    ['limit before the goal', programs.spins, ['--stop-after', '5000000', '--until', 'vmlaunch'], 5, /vmlaunch was not reached/],
  ])('%s', async (_, code, args, status, message) => {
    const directory = folder({ 'a.efi': image(code) });
    const run = await vmxscope(['run', ...args, join(directory, 'a.efi')]);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).not.toMatch(STACK);
    expect(run.status, run.stderr).toBe(status);
  });

  it.each(['breakpoint', 'pageFaults'] as const)('an image that faults with the firmware’s handlers (%s) is reported, not hidden', async (name) => {
    const run = await vmxscope(['run', '--timeout', '2', join(folder({ 'a.efi': image(programs[name]) }), 'a.efi')]);
    expect(run.stdout + run.stderr).toMatch(name === 'breakpoint' ? /#BP|vector 3|breakpoint/i : /#PF|page fault|vector 14/i);
    expect(run.stderr).not.toMatch(STACK);
  });

  it('Ctrl-C ends with 130 and says where the CPUs are', async () => {
    const running = new Running(['run', '--smp', '2']);
    await running.until(/firmware now runs in VMX non-root/, 'stdout');
    const { status, stderr } = await running.interrupt();
    expect(stderr).toMatch(/interrupted\n.*cpu0 at .*\n.*cpu1 at /);
    expect(status).toBe(130);
  });

  it('a spinning guest does not keep Ctrl-C away', async () => {
    const running = new Running(['run', join(folder({ 'a.efi': image(programs.spins) }), 'a.efi')]);
    await running.until(/built-in UEFI/, 'stdout');
    expect((await running.interrupt()).status).toBe(130);
  });

  it('standard output that is closed early ends the run quietly', () => {
    const text = execFileSync(
      'bash',
      ['-c', `"$0" "$1" run --timeout 20 </dev/null 2>&1 | head -c 30; echo " status \${PIPESTATUS[0]}"`, process.execPath, program],
      { encoding: 'utf8' },
    );
    expect(text).toMatch(/status 0$/m);
    expect(text).not.toMatch(STACK);
  });
});

describe('until', () => {
  it.each(['efi_main', 'entry', 'vmm_main', 'vmlaunch', 'vmxon', 'apinitproc0', 'uefi_entry_ret'])('%s', async (symbol) => {
    const { status, stdout, stderr } = await vmxscope(['run', '--serial', 'none', '--json', '--smp', '2', '--until', symbol]);
    expect(status, stderr).toBe(0);
    const report = JSON.parse(stdout) as { ended: string; status: number; instructions: number; cpus: { at: string }[] };
    expect(report.ended).toMatch(new RegExp(`^reached ${symbol} after [\\d,]+ instructions$`));
    expect(report.cpus).toHaveLength(2);
    expect(report.cpus.map((c) => c.at).join()).toMatch(symbol === 'vmlaunch' ? /vt__vm_run_first/ : new RegExp(`\\b${symbol}\\b`));
  });
});

describe('options', () => {
  it('QEMU’s dialect: one dash, sizes in MiB', async () => {
    const run = await vmxscope(['run', '-smp', '2', '-m', '512', '-cpu', 'penryn', '--stop-after', '1000']);
    expect(run.stdout).toContain('512 MiB, 2 CPU(s)');
    expect(run.status).toBe(0);
  });

  it('the command may be left out', async () => {
    expect((await vmxscope(['--stop-after', '10'])).status).toBe(0);
  });

  it('--serial file: holds what the guest wrote, standard output stays empty', async () => {
    const path = join(folder(), 'serial.txt');
    const run = await vmxscope(['run', '--serial', `file:${path}`, '--until', 'vmlaunch']);
    expect(run.status).toBe(0);
    expect(run.stdout).toBe('');
    expect(readFileSync(path, 'utf8')).toMatch(/\[row\] efi_main[^]*\[row\] vt__vm_run\r?\n/);
  });

  it('--stats', async () => {
    const { stderr } = await vmxscope(['run', '--serial', 'none', '--stop-after', '1000', '--stats']);
    expect(stderr).toMatch(/instructions: 1,000\n[^]*instructions\/s: /);
  });

  it('--esp: a folder with the two files boots like the embedded guest; nothing in it changes', async () => {
    const esp = folder({
      'loadvmm.efi': readFileSync(join(guest, 'vmxguest.efi')),
      'vmxguest.elf': readFileSync(join(guest, 'vmxguest.elf')),
      'notes.txt': 'mine',
    });
    const before = contents(esp);
    const { status, stderr, stdout } = await vmxscope(['run', '--esp', esp, '--timeout', '30'], { input: 'ls\nreset -s\n', cwd: esp });
    expect(stdout).toContain('notes.txt');
    expect(status, stderr).toBe(0);
    expect(contents(esp)).toEqual(before);
  });

  it('--esp with startup.nsh and an image in a folder', async () => {
    const esp = folder({ 'startup.nsh': '@echo -off\necho from the script\ntools\\a.efi\nreset -s\n', 'tools/a.efi': image(programs.returns) });
    const { status, stdout, stderr } = await vmxscope(['run', '--esp', esp, '--timeout', '30']);
    expect(stdout).toContain('from the script');
    expect(status, stderr).toBe(0);
  });
});

describe('files that are not what they seem', () => {
  const loader = readFileSync(join(guest, 'vmxguest.efi'));
  const damaged = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(loader);
    new DataView(copy.buffer).setUint32(at, value, true);
    return copy;
  };
  const pe = loader.readUInt32LE(0x3c);

  it.each<readonly [string, Uint8Array | string, RegExp]>([
    ['empty', '', /file ends inside the DOS header/],
    ['text', 'hello, world\n', /not a PE file \(no MZ\)/],
    ['truncated header', loader.subarray(0, 100), /file ends inside/],
    ['truncated section', loader.subarray(0, 0x1200), /file ends inside section/],
    ['PE header beyond the end', damaged(0x3c, 0xffff_fff0), /file ends inside the PE header/],
    ['machine type', damaged(pe + 4, 0x14c), /machine type 0x14c, not x86-64/],
    ['an ELF file', readFileSync(join(guest, 'vmxguest.elf')), /not a PE file/],
    ['section beyond the end', damaged(pe + 24 + 240 + 20, 0x7fff_ffff), /ends inside section/],
  ])('image: %s', async (_, content, reason) => {
    const { status, stderr } = await vmxscope(['run', join(folder({ 'bad.efi': content }), 'bad.efi')]);
    expect(stderr).toMatch(/bad\.efi is not an image that UEFI can start: /);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(STACK);
    expect(status).toBe(1);
  });

  it('beside the image: symbols warn, the boot goes on', async () => {
    const wild = Uint8Array.from(readFileSync(join(guest, 'vmxguest.elf')));
    const view = new DataView(wild.buffer);
    view.setBigUint64(0x28, 0xffff_ffff_ffff_fff0n, true); // e_shoff
    const elf = readFileSync(join(guest, 'vmxguest.elf'));
    const esp = folder({
      'loadvmm.efi': loader,
      'vmxguest.elf': elf,
      'wild.elf': wild,
      'truncated.elf': elf.subarray(0, 5000),
      'empty.elf': '',
      'text.efi': 'x',
      'wild.efi': damaged(pe + 12, 0xffff_ff00),
    });
    const { status, stderr } = await vmxscope(['run', '--serial', 'none', '--esp', esp, '--until', 'vmlaunch']);
    for (const name of ['wild.elf', 'truncated.elf', 'empty.elf', 'text.efi', 'wild.efi']) expect(stderr).toMatch(new RegExp(`symbols: .*${name}: `));
    expect(stderr).not.toMatch(STACK);
    expect(status, stderr).toBe(0);
  });
});
