import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesAt, readElf } from './elf64.ts';

// What efi_main, uefi_init and a person with gdb rely on in guest/bin/vmxguest.elf.

const elf = readElf(readFileSync('guest/bin/vmxguest.elf'));
const IMAGE_BASE = 0x40100000;
const EARLY_END = IMAGE_BASE + 0x10000;
const symbol = (name: string) => elf.symbols.filter((s) => s.name === name);

const EARLY_ROWS = ['entry', 'uefi64_entry', 'uefi_entry_save_regs', 'uefi_init', 'uefi_entry_start', 'callmain64', 'uefi_entry_ret'];
const CORE_ROWS = [
  'vmm_main',
  'start_all_processors',
  'apinitproc0',
  'bsp_proc',
  'call_initfunc',
  'create_pass_vm',
  'vmmcall_boot_enable',
  'wait_for_boot_continue',
  'vmmcall_boot_thread',
  'bsp_init_thread',
  'initregs',
  'copy_uefi_bootcode',
  'vt_start_vm',
  'vt_mainloop',
  'vt__vm_run',
  'vt__vm_run_first',
];

describe('rows of the boot sequence', () => {
  it.each([...EARLY_ROWS, ...CORE_ROWS])('%s is one function symbol with a size', (name) => {
    const found = symbol(name);
    expect(found).toHaveLength(1);
    expect(found[0]?.isFunction).toBe(true);
    expect(found[0]?.size).toBeGreaterThan(0);
  });

  it('the compiler has made no clone of a function', () => {
    expect(elf.symbols.map((s) => s.name).filter((n) => /\.(constprop|isra|part|cold|lto_priv)/.test(n))).toEqual([]);
  });

  it.each(EARLY_ROWS)('%s is in the first 64 KiB, which efi_main reads', (name) => {
    const [s] = symbol(name);
    expect(s && s.address >= IMAGE_BASE && s.address + s.size <= EARLY_END).toBe(true);
  });

  it.each(CORE_ROWS)('%s is in the rest, which uefi_init reads', (name) => {
    expect(symbol(name)[0]?.address).toBeGreaterThanOrEqual(EARLY_END);
  });

  it('vt__vm_run_first contains VMLAUNCH, and no other function does', () => {
    const vmlaunch = Buffer.from([0x0f, 0x01, 0xc2]);
    const holders = elf.symbols.filter((s) => s.isFunction && s.size > 0 && bytesAt(elf, s.address, s.size).includes(vmlaunch));
    expect(holders.map((s) => s.name)).toEqual(['vt__vm_run_first']);
  });
});

describe('layout', () => {
  it('one segment whose file offset is the address minus the image base', () => {
    expect(elf.segments).toHaveLength(1);
    const [s] = elf.segments;
    expect(s?.vaddr).toBe(IMAGE_BASE + (s?.offset ?? 0));
    expect(s?.paddr).toBe((s?.vaddr ?? 0) - 0x40000000);
  });

  it('the program header is where load_rest looks: file offset 0x40', () => {
    expect(elf.bytes.readBigUInt64LE(32)).toBe(0x40n);
  });

  it('entry is the first byte of the code', () => {
    expect(elf.entry).toBe(symbol('entry')[0]?.address);
    expect(elf.entry).toBe(IMAGE_BASE + 0x1000);
  });

  it('the image leaves a MiB of the VMM memory for the heap', () => {
    expect(symbol('vmm_image_end')[0]?.address).toBeLessThanOrEqual(0x40400000 - 0x100000);
  });

  it('the page tables of the second-stage loader are zero in the file', () => {
    const pages = elf.sections.find((s) => s.name === '.entry.pages');
    expect(pages?.size).toBe(0x6000);
    expect(bytesAt(elf, pages?.address ?? 0, pages?.size ?? 0).every((b) => b === 0)).toBe(true);
  });

  it('early code that runs anywhere holds no absolute address outside the far pointers', () => {
    const [start, end] = [symbol('entry')[0], symbol('uefi_entry_save_regs')[0]];
    const code = bytesAt(elf, start?.address ?? 0, (end?.address ?? 0) + (end?.size ?? 0) - (start?.address ?? 0));
    const movAbsolute = [...code.keys()].filter((i) => code[i] === 0x48 && ((code[i + 1] ?? 0) & 0xfe) === 0xa0);
    expect(movAbsolute).toEqual([]);
  });
});

describe('debug information', () => {
  it.each(['.debug_info', '.debug_line', '.debug_frame'])('%s is present and not loaded', (name) => {
    const s = elf.sections.find((x) => x.name === name);
    expect(s?.size).toBeGreaterThan(0);
    expect(s && s.flags & 2n).toBe(0n);
  });

  it('source paths are relative to the repository', () => {
    const s = elf.sections.find((x) => x.name === '.debug_line_str');
    const paths = elf.bytes.toString('latin1', s?.offset, (s?.offset ?? 0) + (s?.size ?? 0)).split('\0');
    expect(paths).toContain('guest/src/core/vmm_main.c');
    expect(paths.filter((p) => p.startsWith('/'))).toEqual([]);
  });

  it('.debug_info is DWARF 5', () => {
    const s = elf.sections.find((x) => x.name === '.debug_info');
    expect(elf.bytes.readUInt16LE((s?.offset ?? 0) + 4)).toBe(5);
  });
});
