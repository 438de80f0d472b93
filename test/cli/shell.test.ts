import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Running } from '../support/vmxscope.ts';
import { folder, image, programs } from './files.ts';

/** What is typed, and what the firmware's shell answers; the same in VMX root and as the guest of the embedded hypervisor. */
const talk: readonly (readonly [typed: string, answer: RegExp])[] = [
  ['help', /ls \[path\]: list a directory/],
  ['echo one two', /\r?\none two\r?\n/],
  ['ls', /Directory of fs0:\\/i],
  ['memmap', /Available {3}0000000000001000[^]*pages/],
  ['map', /fs0:/i],
  ['dh', /LoadedImage|SimpleFileSystem/],
  ['cd nowhere', /nowhere|not found/i],
  ['frob', /'frob' is neither a command nor an image/],
];

async function converse(running: Running): Promise<void> {
  for (const [typed, answer] of talk) {
    await running.until(/FS0:\\> $/, 'stdout');
    running.stdout = '';
    running.type(`${typed}\n`);
    await running.until(new RegExp(`${answer.source}[^]*FS0:\\\\> $`, answer.flags), 'stdout');
  }
}

describe.each([
  ['the embedded guest’s firmware, a VMX guest', (): string[] => []],
  ['on two CPUs', (): string[] => ['--smp', '2']],
  ['under shadowless Penryn', (): string[] => ['--cpu', 'penryn']],
  ['without a hypervisor', (): string[] => [join(folder({ 'a.efi': image(programs.returns) }), 'a.efi')]],
])('%s', (_, args) => {
  it('takes commands, and reset -s powers off with status 0', async () => {
    const running = new Running(['run', '--timeout', '60', ...args()]);
    await converse(running);
    running.type('reset -s\n');
    const { status, stderr } = await running.ended;
    expect(stderr).toContain('the machine powered off');
    expect(status).toBe(0);
  });
});

it('reset starts the machine again', async () => {
  const running = new Running(['run', '--timeout', '60']);
  await running.until(/non-root[^]*FS0:\\> $/, 'stdout');
  running.stdout = '';
  running.type('reset\n');
  await running.until(/\[row\] efi_main[^]*non-root[^]*FS0:\\> $/, 'stdout');
  running.type('reset -s\n');
  expect((await running.ended).status).toBe(0);
});

it('a hypervisor started from the shell by name', async () => {
  const guest = join(import.meta.dirname, '../../guest/bin');
  const esp = folder({ 'startup.nsh': 'echo ready\n' });
  const { cpSync } = await import('node:fs');
  for (const f of ['vmxguest.efi', 'vmxguest.elf']) cpSync(join(guest, f), join(esp, f));
  const running = new Running(['run', '--timeout', '60', '--esp', esp]);
  await running.until(/ready[^]*FS0:\\> $/, 'stdout');
  running.type('vmxguest\n');
  await running.until(/firmware now runs in VMX non-root[^]*FS0:\\> $/, 'stdout');
  running.type('vmxguest\n'); // a second one finds no VMX
  await running.until(/non-root[^]*FS0:\\> vmxguest[^]*FS0:\\> $/, 'stdout');
  running.type('reset -s\n');
  expect((await running.ended).status).toBe(0);
});
