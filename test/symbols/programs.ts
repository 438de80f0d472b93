import type { Workshop } from './tools.ts';
import { run } from './tools.ts';

/** A small freestanding hypervisor-like program: inlining three deep, statics, cold paths, data, a header with code, a file in a directory. */
const SOURCES: Readonly<Record<string, string>> = {
  'vm.h': `
struct vm { int id; long regs[16]; struct vm *next; };
extern volatile long port[64];
static inline long port_read(int n) { return port[n & 63]; }
static inline void port_write(int n, long v)
{
	port[n & 63] = v;
	port[0]++;
}
static inline __attribute__((always_inline)) long port_add(int n, long v)
{
	long old = port_read(n);
	port_write(n, old + v);
	return old;
}
long vm_run(struct vm *vm, int steps);
long vm_stop(struct vm *vm);
`,
  'main.c': `
#include "vm.h"
volatile long port[64];
static struct vm vms[4];
static __attribute__((always_inline)) inline long twice(long x)
{
	return port_add(1, x) + port_add(2, x);
}
static __attribute__((noinline)) long slow_path(struct vm *vm)
{
	long sum = 0;
	for (int i = 0; i < 16; i++)
		sum += vm->regs[i] * port_read(i);
	return sum;
}
__attribute__((cold, noinline)) void vmm_panic(int why)
{
	port_write(63, why);
	for (;;)
		__asm__ volatile ("hlt");
}
int vmm_main(int count)
{
	long total = 0;
	for (int i = 0; i < count; i++) {
		struct vm *vm = &vms[i & 3];
		total += twice(i);
		if (total < 0)
			vmm_panic(i);
		total += vm_run(vm, i);
		if (total & 1)
			total += slow_path(vm);
	}
	return total + vm_stop(&vms[0]);
}
void _start(void)
{
	vmm_main(4);
	vmm_panic(0);
}
`,
  'vt/run.c': `
#include "../vm.h"
static inline long vt__vm_run_first(struct vm *vm)
{
	port_write(3, vm->id);
	return port_read(3);
}
static long vt__vm_run(struct vm *vm)
{
	switch (vm->id) {
	case 0: return vt__vm_run_first(vm);
	case 1: port_write(5, 1); return 7;
	case 2: port_write(9, 2); return vm->regs[3];
	case 3: return port_add(4, 4);
	case 4: return port_add(5, 4) ^ 3;
	case 5: return port_read(50);
	default: return -1;
	}
}
long vm_run(struct vm *vm, int steps)
{
	long sum = 0;
	while (steps-- > 0) {
		sum += vt__vm_run(vm);
		vm = vm->next ? vm->next : vm;
	}
	return sum;
}
long vm_stop(struct vm *vm)
{
	return vt__vm_run(vm) + vt__vm_run_first(vm);
}
`,
};

const FREESTANDING = [
  '-ffreestanding',
  '-nostdlib',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fcf-protection=none',
  '-mno-red-zone',
];

export function writeSources(shop: Workshop): string[] {
  run('mkdir', ['-p', shop.path('vt')]);
  for (const [name, text] of Object.entries(SOURCES)) shop.write(name, text);
  return ['main.c', 'vt/run.c'].map((name) => shop.path(name));
}

/** Links at a fixed address with separate code and data, no PIE. */
export function buildElf(shop: Workshop, output: string, flags: readonly string[], sources = writeSources(shop)): string {
  run('gcc', [...FREESTANDING, '-static', '-no-pie', '-fno-pie', '-Wl,--build-id=none', ...flags, '-o', shop.path(output), ...sources]);
  return shop.path(output);
}

/** A PE32+ application as BitVisor's loadvmm is built: mingw, EFI subsystem, base relocations. */
export function buildPe(shop: Workshop, output: string, flags: readonly string[], sources = writeSources(shop)): string {
  const efi = ['-Wl,--subsystem,10', '-Wl,--dynamicbase', '-e', '_start'];
  run('x86_64-w64-mingw32-gcc', [...FREESTANDING, '-shared', ...efi, ...flags, '-o', shop.path(output), ...sources]);
  return shop.path(output);
}
