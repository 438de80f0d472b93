import { describe, expect, test } from 'vitest';
import { memoryDirectory } from '../../src/machine/uefi/files/host-directory.ts';
import type { FirmwareOptions } from '../../src/machine/uefi/context.ts';
import { typeBytes } from '../../src/machine/uefi/console/keys.ts';
import { initialState } from '../../src/machine/uefi/state.ts';
import { words } from '../../src/machine/uefi/shell/execute.ts';
import { Bench } from './harness.ts';
import { buildPe } from './pe-builder.ts';

/** Runs the boot manager from power-on until it waits, enters an image or asks the machine for something. */
function boot(options: FirmwareOptions, typed = ''): Bench {
  const b = new Bench(options);
  b.cpu.rip = BigInt(b.fw.slot('BootManager'));
  b.fw.key(new TextEncoder().encode(typed));
  run(b);
  return b;
}
function run(b: Bench): void {
  for (let n = 0; n < 100 && b.at === 'BootManager' && b.machine.requests.length === 0; n++) b.step();
}
const image = (b: Bench): string => b.fw.state.images.at(-1)?.name ?? 'none';

test.each<[string, string[]]>([
  ['', []],
  ['  ls   EFI ', ['ls', 'EFI']],
  ['# comment', []],
  ['echo a # b', ['echo', 'a']],
  ['echo a#b', ['echo', 'a#b']],
  ['echo "two words" x', ['echo', 'two words', 'x']],
  ['echo "#" ""', ['echo', '#', '']],
  ['echo ^#x ^"', ['echo', '#x', '"']],
])('words of %j', (line, expected) => expect(words(line)).toEqual(expected));

describe('what is booted', () => {
  const app = buildPe();
  test('the image given, with its arguments as load options', () => {
    const b = boot({
      directory: memoryDirectory({ 'startup.nsh': 'echo no', 'sub/my.efi': app }),
      image: { path: 'SUB\\My.efi', arguments: 'one two' },
    });
    expect(image(b)).toBe('my.efi');
    const { protocol } = b.fw.state.images[0]!;
    expect(b.fw.memory.utf16(b.u64(protocol + 56), b.fw.memory.u32(protocol + 48))).toBe('SUB\\My.efi one two');
    expect(b.fw.memory.utf16(b.u64(protocol + 32) + 4, 60)).toBe('\\sub\\my.efi');
    expect(b.cpu.rip).toBe(BigInt(b.fw.state.images[0]!.entry));
  });
  test('startup.nsh line by line, going on after each image', () => {
    const script = '@echo -off\r\n# first\necho one\nfs0:\nsub\\my\necho two\n\nFS0:\\sub\\my.efi x\n';
    const b = boot({ directory: memoryDirectory({ 'Startup.NSH': script, 'sub/my.efi': app, 'EFI/BOOT/BOOTX64.EFI': app }) });
    expect(image(b)).toBe('my.efi');
    b.returnFromGuest(0n);
    run(b);
    expect(image(b)).toBe('my.efi');
    expect(b.output).toMatch(/one\r\ntwo\r\n$/);
    b.returnFromGuest(0x8000_0000_0000_000en);
    run(b);
    expect(b.output).toContain('my.efi: EFI_NOT_FOUND');
    expect(b.output).toMatch(/FS0:\\> $/);
    expect(b.at).toBe('idle BootManager');
  });
  test('else EFI\\BOOT\\BOOTX64.EFI, then the shell', () => {
    const b = boot({ directory: memoryDirectory({ 'efi/boot/bootx64.efi': app }) });
    expect(image(b)).toBe('bootx64.efi');
    b.returnFromGuest(0n);
    run(b);
    expect(b.output).not.toContain('EFI_');
    expect(b.at).toBe('idle BootManager');
    expect(b.fw.state.images).toEqual([]);
  });
  test.each<[string, FirmwareOptions, RegExp]>([
    ['nothing at all', {}, /Shell> $|Shell\\> $/],
    ['an image that is not there', { directory: memoryDirectory({}), image: { path: 'x.efi' } }, /x\.efi: no such file\r\nFS0:/],
    [
      'an image that is none',
      { directory: memoryDirectory({ 'x.efi': 'text, not an image' }), image: { path: 'x.efi' } },
      /EFI_UNSUPPORTED \(not a PE file/,
    ],
    [
      'a truncated image',
      { directory: memoryDirectory({ 'x.efi': app.slice(0, 0x401) }), image: { path: 'x.efi' } },
      /EFI_LOAD_ERROR \(file ends inside section/,
    ],
    ['a path above the root', { directory: memoryDirectory({}), image: { path: '..\\x.efi' } }, /no such file/],
  ])('%s: a message and the shell', (_n, options, output) => {
    const b = boot(options);
    expect(b.output).toMatch(output);
    expect(b.at).toBe('idle BootManager');
  });
});

describe('commands', () => {
  const directory = memoryDirectory({ 'a.txt': 'line one\nline two', 'EFI/BOOT/x.efi': 'x' });
  test.each<[string, string, RegExp]>([
    ['ls', 'ls', /fs0:\\\r\n.*a\.txt\r\n.*<DIR>.*EFI/],
    ['ls of a file', 'ls a.txt', / 17 {2}a\.txt/],
    ['ls of nothing', 'ls nope', /nope: no such file or directory/],
    ['dir with volume', 'dir fs0:\\EFI\\BOOT', /x\.efi/],
    ['ls on another volume', 'ls fs1:', /no such file/],
    ['cd and back', 'cd efi\\boot\rcd ..\rcd', /FS0:\\EFI> cd\r\nfs0:\\EFI\r\n/],
    ['cd into a file', 'cd a.txt', /not a directory/],
    ['type', 'type a.txt', /line one\r\nline two\r\n/],
    ['type without a name', 'type', /which file/],
    ['map', 'map', /fs0:.*VenHw\(7C1FF1E0/],
    ['memmap', 'memmap', /Available +0000000000001000 000000000009EFFF 000000000000009E 000000000000000F/],
    ['dh', 'dh', /01: [0-9A-F]{8} {2}SimpleTextOutput/],
    ['echo', 'echo "a  b" c', /\na {2}b c\r\n/],
    ['cls', 'cls', /\x1b\[2J\x1b\[H/],
    ['ver', 'ver', /UEFI 2\.10/],
    ['help', 'help', /reset \[-s\]/],
    ['exit', 'exit', /nothing else to boot/],
    ['an unknown word', 'frobnicate', /'frobnicate' is neither a command nor an image/],
    ['another volume', 'fs7:', /not a volume/],
    ['backspace', 'ecjo\b\b\bcho ok', /\nok\r\n/],
    ['Ctrl-C', 'garbage\x03echo fine', /\^C\r\n.*\r?\nfine\r\n|\nfine\r\n/],
  ])('%s', (_n, typed, output) => expect(boot({ directory }, `${typed}\r`).output).toMatch(output));
  test.each([
    ['reset', 'reset'],
    ['reset -s', 'power-off'],
  ])('%s', (line, what) => {
    const b = boot({ directory }, `${line}\r`);
    expect(b.machine.requests).toEqual([{ what, code: undefined }]);
    b.step();
    expect(b.at).toBe('idle BootManager');
  });
  test('what is typed after a command waits for the image that the command runs', () => {
    const b = boot({ directory: memoryDirectory({ 'app.efi': buildPe() }) }, 'app\rxy');
    expect(b.fw.state.console.keys.map((k) => String.fromCharCode(k.char)).join('')).toBe('xy');
  });
});

describe('keys of a terminal', () => {
  const keys = (...batches: string[]): string[] => {
    const state = initialState();
    for (const batch of batches) typeBytes(state, new TextEncoder().encode(batch));
    return state.console.keys.map((k) => (k.scan ? `scan ${k.scan}` : `${k.char}`));
  };
  test.each<[string, string[], string[]]>([
    ['letters', ['ab'], ['97', '98']],
    ['enter and newline', ['\r\n'], ['13', '13']],
    ['delete is backspace', ['\x7f'], ['8']],
    ['arrows', ['\x1b[A\x1b[B\x1bOC\x1bOD'], ['scan 1', 'scan 2', 'scan 3', 'scan 4']],
    ['function and editing keys', ['\x1bOP\x1b[24~\x1b[3~\x1b[H'], ['scan 11', 'scan 22', 'scan 8', 'scan 5']],
    ['a sequence in pieces', ['\x1b[', '3', '~x'], ['scan 8', '120']],
    ['escape alone', ['\x1b', 'a'], ['scan 23', '97']],
    ['an unknown sequence is dropped', ['\x1b[99zq'], ['113']],
    ['UTF-8', ['é漢'], ['233', '28450']],
  ])('%s', (_n, batches, expected) => expect(keys(...batches)).toEqual(expected));
  test('a flood is bounded', () => expect(keys('x'.repeat(10_000)).length).toBe(4096));
});
