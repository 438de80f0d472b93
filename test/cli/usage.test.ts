import { describe, expect, it } from 'vitest';
import { vmxscope } from '../support/vmxscope.ts';

const STACK = /^\s+at .+:\d+/m;

describe('a mistake on the command line is named and ends with status 2', () => {
  it.each<readonly [string, string[], RegExp]>([
    ['unknown option', ['run', '--smpp', '2'], /unknown option --smpp; did you mean --smp\?/],
    ['unknown option, camel case inside', ['run', '--stop-aftr=5'], /unknown option --stop-aftr; did you mean --stop-after\?/],
    ['unknown letter', ['run', '-x'], /unknown option -x\n/],
    ['unknown option without a command', ['--esq', 'x'], /unknown option --esq; did you mean --esp\?/],
    ["the other command's option", ['run', '--format', 'text'], /--format is an option of the other command/],
    ['a value is missing', ['run', '--until'], /--until needs a value/],
    ['two images', ['run', 'a.efi', 'b.efi'], /b\.efi: one image can be started/],
    ['CPU model', ['run', '--cpu', 'penrny'], /unknown CPU model 'penrny'; did you mean penryn\? \(models: penryn, nehalem,/],
    ['CPU feature', ['run', '--cpu', 'skylake,-epts'], /unknown CPU feature 'epts'; did you mean ept\?/],
    ['RAM: not a size', ['run', '-m', 'lots'], /-m lots: not a size; write 512M or 1G/],
    ['RAM: too small', ['run', '-m', '8M'], /RAM of 8 MiB: between 16 and 2816 whole MiB are possible/],
    ['RAM: too large', ['run', '-m', '64G'], /RAM of 65536 MiB: between/],
    ['RAM: none', ['run', '-m', '0'], /RAM of 0 MiB/],
    ['CPUs: none', ['run', '--smp', '0'], /--smp 0: expected a whole number from 1/],
    ['CPUs: too many', ['run', '--smp', '999'], /999 CPUs: between 1 and 16/],
    ['CPUs: not a number', ['run', '--smp', 'two'], /--smp two: expected a whole number/],
    ['gdb: unknown form', ['run', '--gdb', 'udp:1234'], /--gdb udp:1234: expected tcp:HOST:PORT, unix:PATH, stdio or none/],
    ['gdb: port', ['run', '--gdb', 'tcp:localhost:99999'], /99999 is not a port number/],
    ['gdb: no port', ['run', '--gdb', 'tcp:localhost:'], /the port is missing/],
    ['gdb: no path', ['run', '--gdb', 'unix:'], /a path is missing/],
    ['-S without a debugger', ['run', '-S'], /-S waits for a debugger: add -s or --gdb/],
    ['serial', ['run', '--serial', 'tty'], /--serial tty: expected stdio, file:PATH or none/],
    ['stop-after', ['run', '--stop-after', '1e6'], /--stop-after 1e6: expected a whole number from 1/],
    ['timeout', ['run', '--timeout', '0'], /--timeout 0: expected a whole number from 1/],
    ['until: unknown symbol', ['run', '--until', 'vmm_man'], /--until vmm_man: no such symbol; did you mean vmm_main\?/],
    ['until: nothing near', ['run', '--until', 'zzzzzzzzzz'], /--until zzzzzzzzzz: no such symbol in the files that are booted/],
    ['append without a kernel', ['run', '-append', 'x'], /--append belongs to --kernel/],
    ['initrd without a kernel', ['run', '--initrd', 'x'], /--initrd belongs to --kernel/],
    ['kernel and folder', ['run', '--kernel', 'x', '--esp', '/etc'], /--kernel starts without firmware: there is nothing to boot --esp/],
    ['kernel and image', ['run', '-kernel', 'x', 'y.efi'], /--kernel starts without firmware: y\.efi cannot be started too/],
    ['device: unknown', ['run', '-device', 'e1000'], /--device e1000: there are pc-testdev and isa-debug-exit/],
    ['device: property', ['run', '-device', 'isa-debug-exit,iobase=0x501'], /iobase=0x501 is not possible; it is at iobase=0xf4/],
    ['trace: format', ['trace', '--format', 'xml'], /format[^]*"xml"[^]*"text", "ndjson"/],
  ])('%s', async (_, args, message) => {
    const { status, stdout, stderr } = await vmxscope(args);
    expect(stderr).toMatch(message);
    expect(stderr).toContain('Try: vmxscope --help');
    expect(stderr).not.toMatch(STACK);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  it('in any language of the user', async () => {
    process.env.LC_ALL = 'ja_JP.UTF-8';
    try {
      expect((await vmxscope(['run', '--smpp'])).stderr).toContain('did you mean --smp?');
    } finally {
      delete process.env.LC_ALL;
    }
  });
});

describe('a world that does not fit ends with status 1', () => {
  it.each<readonly [string, string[], RegExp]>([
    ['no such image', ['run', 'missing.efi'], /missing\.efi: there is no such file, and no such command \(run, trace\)/],
    ['a folder as image', ['run', '/tmp'], /\/tmp is a folder: to boot from it, write --esp \/tmp/],
    ['no such folder', ['run', '--esp', '/nonexistent'], /--esp \/nonexistent: there is no such directory/],
    ['a file as folder', ['run', '--esp', '/etc/passwd'], /--esp \/etc\/passwd: not a directory/],
    ['image outside the folder', ['run', '--esp', '/etc', '../../bin/sh'], /not below the folder|there is no such file/],
    ['no such kernel', ['run', '-kernel', 'missing.elf'], /--kernel missing\.elf: there is no such file/],
    ['a folder as kernel', ['run', '--kernel', '/etc'], /--kernel \/etc: it is a folder/],
    ['no kernel', ['run', '--kernel', '/etc/passwd'], /--kernel \/etc\/passwd: it is no Multiboot kernel/],
    ['serial file in no folder', ['run', '--serial', 'file:/nonexistent/x'], /cannot write \/nonexistent\/x: ENOENT/],
    ['socket in no folder', ['run', '--gdb', 'unix:/nonexistent/x'], /there is no folder \/nonexistent/],
    ['socket path is a file', ['run', '--gdb', 'unix:/etc/passwd'], /\/etc\/passwd exists and is not a socket: not replaced/],
    ['host of somebody else', ['run', '--gdb', 'tcp:192.0.2.1:1234'], /192\.0\.2\.1 is not an address of this machine/],
  ])('%s', async (_, args, message) => {
    const { status, stderr } = await vmxscope(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(STACK);
    expect(status).toBe(1);
  });
});

describe('information', () => {
  it.each<readonly [string, string[], RegExp]>([
    ['--help', ['--help'], /--smp .*number of CPUs[^]*--until/],
    ['run --help', ['run', '--help'], /--stop-after/],
    ['trace --help', ['trace', '--help'], /--format/],
    ['--version', ['--version'], /^\d+\.\d+\.\d+$/m],
    ['--cpu help', ['run', '--cpu', 'help'], /penryn +2008[^]*skylake[^]*unrestricted-guest/],
  ])('%s', async (_, args, text) => {
    const { status, stdout, stderr } = await vmxscope(args);
    expect(stdout).toMatch(text);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
