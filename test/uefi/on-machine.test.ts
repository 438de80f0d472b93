import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import { createLog } from '../../src/machine/log.ts';
import { Machine } from '../../src/machine/machine.ts';
import { Firmware, memoryDirectory, type FirmwareOptions } from '../../src/machine/uefi/index.ts';
import { buildPe } from './pe-builder.ts';
import { notifyProgram, printProgram, stallProgram, waitProgram } from './programs.ts';

/** The firmware on the real machine: real paging, real interrupts, real stubs. */
interface Pc {
  readonly machine: Machine;
  readonly firmware: Firmware;
  output(): string;
  /** Runs until the console shows `text`, at most `ms` of the machine's time. */
  until(text: string, ms?: number): number;
}

function pc(options: FirmwareOptions, model = 'skylake'): Pc {
  let output = '';
  const machine = new Machine({
    ramSize: 64 << 20,
    cpus: 1,
    model: cpuModel(model)!,
    log: createLog(() => undefined),
    startDate: Date.UTC(2024, 0, 1),
    firmware: (s) => new Firmware(s, { ...options, console: { write: (bytes) => void (output += new TextDecoder().decode(bytes)) } }),
  });
  const until = (text: string, ms = 1000): number => {
    while (!output.includes(text)) {
      const reason = machine.run(100_000);
      if (reason.kind !== 'quantum' && reason.kind !== 'idle') throw new Error(`stopped: ${JSON.stringify(reason)}; ${output}`);
      if (machine.clock.now() > ms * 1e6) throw new Error(`'${text}' did not come; ${output}`);
    }
    return machine.clock.now() / 1e6;
  };
  return { machine, firmware: machine.firmware!, output: () => output, until };
}
const app = (code: readonly number[]): FirmwareOptions => ({ directory: memoryDirectory({ 'EFI/BOOT/BOOTX64.EFI': buildPe({ code }) }) });
const prompt = 'FS0:\\> ';

describe.each(['penryn', 'skylake'])('on %s', (model) => {
  test('an application prints and returns to the shell', () => {
    const p = pc(app(printProgram), model);
    p.until(prompt);
    expect(p.output()).toMatch(/CPU\(s\)\r\nhi\r\nFS0:\\> $/);
  });
  test('the shell takes keys while it idles in HLT', () => {
    const p = pc({ directory: memoryDirectory({}) }, model);
    p.until(prompt);
    for (let n = 0; n < 5; n++) p.machine.run(1_000_000);
    p.firmware.key(new TextEncoder().encode('echo alive\r'));
    p.until('\nalive\r\n');
  });
});

test('Stall takes its time, with ticks going on and few instructions', () => {
  const p = pc(app(stallProgram));
  const ms = p.until(prompt);
  expect(ms).toBeGreaterThanOrEqual(55);
  expect(ms).toBeLessThan(55.2);
  expect(Number(p.machine.instructions)).toBeLessThan(20_000_000);
});

test('WaitForEvent wakes at the tick after its timer is due', () => {
  const p = pc(app(waitProgram));
  const ms = p.until(prompt);
  expect(ms).toBeGreaterThanOrEqual(35);
  expect(ms).toBeLessThan(45);
  expect(Number(p.machine.instructions)).toBeLessThan(2000);
});

test('a timer notification interrupts a spinning program and gives it back unharmed', () => {
  const p = pc(app(notifyProgram));
  const ms = p.until(prompt);
  expect(p.output()).not.toContain('EFI_');
  expect(ms).toBeGreaterThanOrEqual(30);
  expect(ms).toBeLessThan(50);
});

test('an exception shows registers and image, and stops the processor', () => {
  const p = pc(app([0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x0b])); // mov eax, 0x12345678; ud2
  p.until('The processor stops here.');
  expect(p.output()).toContain('exception 06 (invalid opcode)');
  expect(p.output()).toContain('RAX 0000000012345678');
  expect(p.output()).toContain('in BOOTX64.EFI');
  expect(p.output()).toContain('offset 00001005');
});

test('a page fault shows its address and error code', () => {
  const p = pc(app([0x48, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0x88, 0x08])); // mov rax, 1 << 40; mov [rax], cl
  p.until('The processor stops here.');
  expect(p.output()).toContain('(page fault), error code 0000000000000002');
  expect(p.output()).toContain('CR2 0000010000000000');
});

test('reset -s switches the machine off', () => {
  const p = pc({ directory: memoryDirectory({ 'startup.nsh': 'echo bye\nreset -s\n' }) });
  let reason = p.machine.run(100_000);
  while (reason.kind === 'quantum' || reason.kind === 'idle') reason = p.machine.run(100_000);
  expect(reason.kind).toBe('power-off');
  expect(p.output()).toContain('bye\r\n');
});

test('reset starts over', () => {
  const p = pc({ directory: memoryDirectory({}) });
  p.until(prompt);
  p.firmware.key(new TextEncoder().encode('reset\r'));
  let reason = p.machine.run(100_000);
  for (let n = 0; n < 1000 && reason.kind !== 'reset'; n++) reason = p.machine.run(100_000);
  expect(reason.kind).toBe('reset');
  for (let n = 0; n < 10; n++) p.machine.run(100_000);
  expect(p.output().split('vmxscope: built-in UEFI').length).toBe(3);
});

test('the state is plain: through JSON and back the firmware goes on as before', () => {
  const boot = (): Pc => {
    const p = pc(app(waitProgram));
    while (p.machine.clock.now() < 15e6) p.machine.run(50_000);
    return p;
  };
  const [one, two] = [boot(), boot()];
  const text = JSON.stringify(two.firmware.snapshot());
  expect(text).toBe(JSON.stringify(one.firmware.snapshot()));
  two.firmware.restore(JSON.parse(text));
  expect([two.until(prompt), two.machine.instructions]).toEqual([one.until(prompt), one.machine.instructions]);
});

test('the embedded guest makes the firmware its own guest, and the shell goes on', () => {
  const bin = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../../guest/bin/${name}`, import.meta.url)));
  const p = pc({
    directory: memoryDirectory({ 'vmxguest.efi': bin('vmxguest.efi'), 'vmxguest.elf': bin('vmxguest.elf') }),
    image: { path: 'vmxguest.efi' },
  });
  p.until(prompt);
  expect(p.output()).toContain('the firmware now runs in VMX non-root');
  p.firmware.key(new TextEncoder().encode('echo still here\r'));
  p.until('\nstill here\r\n', p.machine.clock.now() / 1e6 + 1000);
  expect(p.machine.cpus[0]!.vmxMode).toBe(2);
});

test('describe names images, handles and memory', () => {
  const p = pc(app(waitProgram));
  p.machine.run(1000);
  expect(p.firmware.describe()).toMatch(/BOOTX64\.EFI at 0x[0-9a-f]+-[\s\S]*Acpi20[\s\S]*SimpleFileSystem=[\s\S]*ACPI_NVS/);
});
