import { describe, expect, it } from 'vitest';
import { BootImageError } from '../../src/machine/boot/image.ts';
import { KernelBoot, type KernelOptions } from '../../src/machine/boot/kernel.ts';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import { createLog } from '../../src/machine/log.ts';
import { Machine } from '../../src/machine/machine.ts';
import { kludge } from './images.ts';

const MIB = 1 << 20;
const at = (load: number, size = 64): Uint8Array => kludge({ headerAddress: load, load, loadEnd: 0, bssEnd: load + size, entry: load + 32 }, 64);

function machineWith(options: Partial<KernelOptions>, cpus = 1, ramSize = 32 * MIB): Machine {
  const kernel: KernelOptions = { kernel: at(0x10_0000), commandLine: 'kernel', modules: [], ...options };
  return new Machine({
    ramSize,
    cpus,
    model: skylake,
    log: createLog(() => {}),
    startDate: 0,
    kernel: (services) => new KernelBoot(services, kernel),
  });
}

/** The information structure that EBX points at. */
function information({ memory, cpus }: Machine) {
  const base = Number(cpus[0]!.gpr(3));
  const word = (offset: number): number => memory.read(base + offset, 4);
  const text = (address: number): string => {
    let s = '';
    for (let c; (c = memory.read(address++, 1)) !== 0;) s += String.fromCharCode(c);
    return s;
  };
  const ranges = [];
  for (let p = word(48); p < word(48) + word(44); p += memory.read(p, 4) + 4)
    ranges.push([memory.read64(p + 4), memory.read64(p + 12), memory.read(p + 20, 4)]);
  const modules = Array.from({ length: word(20) }, (_, n) => word(24) + n * 16).map((m) => ({ start: memory.read(m, 4), end: memory.read(m + 4, 4), text: text(memory.read(m + 8, 4)) })); // prettier-ignore
  return { flags: word(0), lower: word(4), upper: word(8), commandLine: text(word(16)), loader: text(word(64)), ranges, modules };
}

describe('a kernel finds', () => {
  it('the machine state of the specification', () => {
    const cpu = machineWith({}).cpus[0]!;
    expect(cpu.gpr(0)).toBe(0x2bad_b002n);
    expect(cpu.rip).toBe(0x10_0020n);
    expect([cpu.cr0, cpu.cr4, cpu.efer, cpu.rflags]).toEqual([0x11n, 0n, 0n, 2]);
    for (const [n, s] of cpu.segments.slice(0, 6).entries()) expect([s.base, s.limit, s.type]).toEqual([0n, 0xffff_ffff, n === 1 ? 0xb : 3]);
  });

  it('memory sizes, map, command line and loader name', () => {
    const info = information(machineWith({ commandLine: 'kernel one two' }));
    expect(info).toMatchObject({ flags: 0x24f, lower: 639, upper: 31 * 1024, commandLine: 'kernel one two', loader: 'vmxscope' });
    expect(info.ranges).toEqual([
      [0n, 0x9_fc00n, 1],
      [0x9_fc00n, 0x400n, 2],
      [0xe_0000n, 0x2_0000n, 2],
      [0x10_0000n, BigInt(31 * MIB), 1],
    ]);
  });

  it('its modules on pages after it, with their command lines', () => {
    const modules = [
      { bytes: Uint8Array.of(1, 2, 3), commandLine: 'a x' },
      { bytes: Uint8Array.of(4), commandLine: 'b' },
    ];
    const machine = machineWith({ kernel: at(0x10_0000, 0x1234), modules });
    expect(information(machine).modules).toEqual([
      { start: 0x10_2000, end: 0x10_2003, text: 'a x' },
      { start: 0x10_3000, end: 0x10_3001, text: 'b' },
    ]);
    expect(machine.memory.peek(0x10_2000, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
  });

  it('boot information elsewhere when it is loaded where that usually lies', () => {
    expect(machineWith({ kernel: at(0x8_fff0) }).cpus[0]!.gpr(3)).toBe(0x9_1000n);
  });

  it('ACPI tables by a search below 1 MiB, with every CPU in the MADT', () => {
    const { memory } = machineWith({}, 3);
    const read = (p: number, n: number): string => String.fromCharCode(...memory.peek(p, n)!);
    const rsdp = Array.from({ length: 0x2000 }, (_, n) => 0xe_0000 + n * 16).find((p) => read(p, 8) === 'RSD PTR ')!;
    const rsdt = memory.read(rsdp + 16, 4);
    const tables = Array.from({ length: (memory.read(rsdt + 4, 4) - 36) / 4 }, (_, n) => memory.read(rsdt + 36 + n * 4, 4));
    const madt = tables.find((t) => read(t, 4) === 'APIC')!;
    const entries: number[] = [];
    for (let p = madt + 44; p < madt + memory.read(madt + 4, 4); p += memory.read(p + 1, 1)) entries.push(memory.read(p, 1));
    expect(entries.filter((type) => type === 0)).toHaveLength(3);
  });

  it('a dummy handler for every real-mode interrupt but the timer', () => {
    const { memory } = machineWith({});
    const handler = (n: number): number => (memory.read(n * 4 + 2, 2) << 4) + memory.read(n * 4, 2);
    const others = Array.from({ length: 256 }, (_, n) => n).filter((n) => memory.read(handler(n), 1) !== 0xcf);
    expect(others).toEqual([8]);
  });

  it('a timer that ticks at 18.2 Hz in real mode', () => {
    const machine = machineWith({});
    const cpu = machine.cpus[0]!;
    machine.memory.poke(0x1000, Uint8Array.of(0xfb, 0xf4, 0xeb, 0xfc)); // 1: sti; hlt; jmp 1b
    loadControlRegisters(cpu, { cr0: 0x10n, cr3: 0n, cr4: 0n, efer: 0n });
    for (const s of [L.DS, L.SS]) cpu.segments[s]!.load(0, 0n, 0xffff, 0x93);
    setCodeSegment(cpu, 0, 0n, 0xffff, 0x9b, 0);
    cpu.rip = 0x1000n;
    cpu.rsp = 0x1000n;
    for (let n = 0; n < 100 && machine.clock.now() < 0.999e9; n++) machine.run(1_000);
    expect([18, 19]).toContain(machine.memory.read(0x46c, 4)); // the last skip of time may end with a tick
  });

  it('the same after a reset, whatever it did to memory', () => {
    const machine = machineWith({});
    const before = machine.memory.peek(0, 2 * MIB)!;
    machine.memory.fill(0x500, 0x9_0000, 0xcc);
    machine.memory.fill(0x10_0000, 64, 0xcc);
    machine.reset();
    expect(machine.memory.peek(0x10_0000, 64)).toEqual(before.slice(0x10_0000, 0x10_0040));
    expect(information(machine).commandLine).toBe('kernel');
    expect(machine.cpus[0]!.rip).toBe(0x10_0020n);
  });
});

describe('what does not fit the machine is refused', () => {
  it.each<readonly [string, Partial<KernelOptions>, RegExp]>([
    ['beyond RAM', { kernel: at(64 * MIB) }, /beyond the RAM of 32 MiB/],
    ['bss beyond RAM', { kernel: at(0x10_0000, 40 * MIB) }, /beyond the RAM of 32 MiB/],
    ['over the interrupt vectors', { kernel: at(0) }, /interrupt vectors/],
    ['into video memory', { kernel: at(0x9_fbf0) }, /video memory/],
    ['in the ROM area', { kernel: at(0xf_0000) }, /ROM/],
    ['a module too many', { modules: [{ bytes: new Uint8Array(40 * MIB), commandLine: 'm' }] }, /modules need RAM up to 42 MiB; there are 32/],
    ['no room for the command line', { commandLine: 'x'.repeat(70_000) }, /no room for the boot information/],
    ['no kernel', { kernel: new Uint8Array(100) }, /no Multiboot kernel/],
  ])('%s', (_, options, reason) => {
    expect(() => machineWith(options)).toThrow(BootImageError);
    expect(() => machineWith(options)).toThrow(reason);
  });
});
