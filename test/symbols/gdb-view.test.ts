import { describe, expect, it } from 'vitest';
import { elf32ToElf64View } from '../../src/symbols/elf/elf64-view.ts';
import { gdbView, withVmxSymbols } from '../../src/symbols/gdb-view.ts';
import { loadSymbolFile } from '../../src/symbols/load.ts';
import { openSymbolFile } from '../../src/symbols/open.ts';
import { vmxInstructionSymbols } from '../../src/symbols/vmx-instructions.ts';
import { buildElf, buildPe } from './programs.ts';
import { gdb, run, workshop } from './tools.ts';

const shop = workshop();

describe('an ELF32 file with 64-bit code, shown as ELF64', () => {
  const original = buildElf(shop, 'program', ['-g', '-O2', '-Wl,-Ttext-segment=0x40100000']);
  run('objcopy', ['-O', 'elf32-i386', original, shop.path('program32')]);
  const view = shop.write('view', elf32ToElf64View(shop.read('program32')));

  it('readelf and objdump accept it, and see the same code and symbols as in the ELF64 original', () => {
    expect(run('sh', ['-c', 'readelf -aW "$0" 2>&1 >/dev/null', view])).toBe('');
    expect(run('nm', ['-S', view])).toBe(run('nm', ['-S', original]));
    const code = (path: string) => run('objdump', ['-d', path]).split('\n').slice(3);
    expect(code(view)).toEqual(code(original));
    const segments = (path: string) =>
      [...run('readelf', ['-lW', path]).matchAll(/^ +LOAD +\S+ (\S+) (\S+) (\S+) (\S+)/gm)].map((match) => match.slice(1).map(BigInt));
    expect(segments(view).length).toBeGreaterThan(1);
    expect(segments(view)).toEqual(segments(shop.path('program32')));
  });

  it('gdb answers the same for it as for the ELF64 original', () => {
    const questions = [
      'info line vmm_main',
      'break vt__vm_run_first',
      'break main.c:30',
      'info symbol vm_run',
      'info address vmm_panic',
      'ptype struct vm',
      'print &vms[1].regs[2]',
      'disassemble vm_stop',
      'info scope vm_run',
      'info breakpoints',
    ];
    const answer = gdb(view, questions);
    expect(answer).toBe(gdb(original, questions));
    expect(answer).toMatch(/Breakpoint 1 at 0x401\w+: vt__vm_run_first\. \(\d locations\)/);
  });

  it('gdb without the view is wrong about it', () => {
    expect(gdb(shop.path('program32'), ['show architecture'])).toContain('i386');
    expect(gdb(view, ['show architecture'])).toContain('i386:x86-64');
  });

  it('relocations, notes and the dynamic section, laid out otherwise in ELF64, lose their type', () => {
    buildElf(shop, 'pie32', ['-m32', '-static-pie', '-fpie', '-O1', '-g', '-Wl,--emit-relocs', '-Wl,--build-id']);
    const pieView = shop.write('pie-view', elf32ToElf64View(shop.read('pie32')));
    const types = [...run('readelf', ['-SW', pieView]).matchAll(/^ +\[ *\d+\] \S* *([A-Z_]+) /gm)].map((match) => match[1]);
    expect(new Set(types)).toEqual(new Set(['NULL', 'PROGBITS', 'NOBITS', 'SYMTAB', 'DYNSYM', 'STRTAB'].filter((type) => types.includes(type))));
    expect(gdb(pieView, ['info line vmm_main', 'info symbol vmm_main'])).toMatch(/starts at address[\s\S]*vmm_main in section \.text/);
  });

  it('is refused for a file that is ELF64 already', () => {
    expect(() => elf32ToElf64View(shop.read('program'))).toThrow('the file is not ELF32');
  });
});

const VMX_C = `
typedef unsigned long u64;
static inline char do_vmread(u64 field, u64 *value)
{
	char error;
	__asm__ volatile ("vmread %2, %1; setna %0" : "=q" (error), "=rm" (*value) : "r" (field) : "cc");
	return error;
}
void do_vmptrld(u64 *region) { __asm__ volatile ("vmptrld %0" : : "m" (*region)); }
void only_vmlaunch(void) { __asm__ volatile ("vmlaunch"); }
u64 run(u64 *region, int n)
{
	u64 v = 0, w = 0;
	__asm__ volatile ("vmxon %0" : : "m" (*region));
	__asm__ volatile ("vmclear %0" : : "m" (region[1]));
	do_vmptrld(region);
	for (int i = 0; i < n; i++) {
		__asm__ volatile ("vmwrite %0, %1" : : "r" ((u64)i), "r" (0x4000ul));
		do_vmread(0x4402, &v);
		do_vmread(0x4404, &w);
		if (i)
			__asm__ volatile ("vmresume");
		else
			__asm__ volatile ("vmlaunch");
	}
	__asm__ volatile ("vmptrst %0" : "=m" (region[2]));
	__asm__ volatile ("invept %0, %1; invvpid %0, %1" : : "m" (region[4]), "r" (1ul));
	__asm__ volatile ("vmcall; vmfunc; vmxoff");
	return v + w;
}
/* The bytes of vmlaunch and vmresume where they are not instructions. */
u64 magic(u64 x) { return x ^ 0x00c3010fc2010f00ul; }
__asm__ (".text; .type blob, @object; blob: .byte 0x0f, 1, 0xc2, 0x0f, 1, 0xc3; .size blob, 6");
void _start(void) { u64 a[8]; run(a, 2); only_vmlaunch(); magic(a[0]); for (;;); }
`;
const VMX_S = `
	.text
	.globl asm_vmlaunch
asm_vmlaunch:
	push %rbp
	vmlaunch
	vmresume
	jmp after
	.globl after
after:	ret
	.section .note.GNU-stack,"",@progbits
`;
const MNEMONICS = 'invept invvpid vmcall vmclear vmfunc vmlaunch vmptrld vmptrst vmread vmresume vmwrite vmxoff vmxon'.split(' ');

describe('VMX instructions as symbols', () => {
  const sources = [shop.write('vmx.c', VMX_C), shop.write('vmx-asm.s', VMX_S)];
  const build = (name: string, flags: string[]) => buildElf(shop, name, ['-Wl,-Ttext-segment=0x40100000', ...flags], sources);
  const addressesIn = (path: string, mnemonic: string) =>
    [...run('objdump', ['-d', '--no-show-raw-insn', path]).matchAll(new RegExp(`^ *([0-9a-f]+):\\t${mnemonic}\\b`, 'gm'))].map((match) => match[1]!);

  it.each([
    ['-O0 -g', ['-O0', '-g']],
    ['-O1 -g', ['-O1', '-g']],
    ['-O2 -g', ['-O2', '-g']],
    ['-O2 -g with assembly lines', ['-O2', '-g', '-Wa,-g']],
    ['-O2 -g without location lists, where gdb skips prologues by line', ['-O2', '-g', '-fno-var-tracking', '-fno-var-tracking-assignments']],
    ['-O2 without debug information', ['-O2']],
    ['-O0 without debug information', ['-O0']],
    ['-O2 stripped', ['-O2', '-s']],
  ])('%s: break MNEMONIC in gdb lands exactly on every one', (_, flags) => {
    const path = build('vmx', flags);
    const view = shop.write('vmx-view', withVmxSymbols(shop.read('vmx')));
    const ours = vmxInstructionSymbols(loadSymbolFile(path));
    const text = gdb(view, [...MNEMONICS.map((mnemonic) => `break ${mnemonic}`), 'info breakpoints']);
    let number = 0;
    const inGdb = new Map<string, string[]>();
    for (const line of text.slice(text.indexOf('Num ')).split('\n')) {
      const row = /^(\d+)(\.\d+)? +(?:breakpoint +keep )?y  +(?:0x0*([0-9a-f]+))?/.exec(line);
      if (row === null) continue;
      number = Number(row[1]);
      const list = inGdb.get(MNEMONICS[number - 1]!) ?? [];
      if (row[3] !== undefined) list.push(row[3]);
      inGdb.set(MNEMONICS[number - 1]!, list);
    }
    for (const mnemonic of MNEMONICS) {
      const expected = addressesIn(path, mnemonic);
      expect(expected.length).toBeGreaterThan(0);
      expect(ours.filter((symbol) => symbol.name === mnemonic).map((symbol) => symbol.address.toString(16))).toEqual(expected);
      expect(inGdb.get(mnemonic)?.sort(), `break ${mnemonic}: ${text}`).toEqual(expected);
    }
  });

  it('they do not hide the function they are in, not even an assembly function without a size', () => {
    build('vmx-plain', ['-O2']);
    const view = shop.write('vmx-plain-view', gdbView(shop.read('vmx-plain')));
    const text = gdb(view, ['x/4i asm_vmlaunch', 'info symbol asm_vmlaunch', 'x/2i only_vmlaunch', 'info symbol only_vmlaunch']);
    expect(text).toContain('<asm_vmlaunch+1>:\tvmlaunch');
    expect(text).toContain('<asm_vmlaunch+4>:\tvmresume');
    expect(text).toContain('<only_vmlaunch>:\tvmlaunch');
    expect(text).toContain('only_vmlaunch in section .text');
  });

  it('gdbView joins both for an ELF32 file with 64-bit code', () => {
    const path = build('vmx-64', ['-O2', '-g']);
    run('objcopy', ['-O', 'elf32-i386', path, shop.path('vmx-32')]);
    const view = shop.write('vmx-32-view', gdbView(shop.read('vmx-32')));
    expect(run('sh', ['-c', 'readelf -aW "$0" 2>&1 >/dev/null', view])).toBe('');
    expect(openSymbolFile(shop.read('vmx-32-view'), { name: 'view' })).toMatchObject({ format: 'elf64', codeBits: 64 });
    const [address] = addressesIn(path, 'vmxon');
    expect(gdb(view, ['break vmxon'])).toContain(`Breakpoint 1 at 0x${address}`);
  });

  it('what has none, PE files and 32-bit code come back as they are', () => {
    const sourcesWithout = [shop.path('main.c'), shop.path('vt/run.c')];
    buildPe(shop, 'app.efi', ['-O1']);
    run('gcc', ['-m32', '-O2', '-ffreestanding', '-nostdlib', '-static', '-fno-pie', '-no-pie', '-o', shop.path('real32'), ...sourcesWithout]);
    for (const name of ['program', 'app.efi', 'real32']) {
      const bytes = shop.read(name);
      expect(gdbView(bytes)).toBe(bytes);
    }
  });
});
