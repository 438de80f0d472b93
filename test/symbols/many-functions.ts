import { buildElf, writeSources } from './programs.ts';
import type { Workshop } from './tools.ts';

/** Functions enough for several pages, in three units; with statics, inlining, cold parts, and variables. */
function manyFunctions(unit: string, count: number): string {
  const functions = Array.from(
    { length: count },
    (_, i) => `
__attribute__((noinline)) long ${unit}_${i}(struct vm *vm, long n)
{
	static long seen_${unit}_${i};
	long sum = helper(vm, n) + seen_${unit}_${i}++;
	for (long k = 0; k < n; k++) {
		sum += port_add(k, ${i + 3}) * vm->regs[${i % 16}];
		if (__builtin_expect(sum == ${i}, 0))
			vmm_panic(sum);
	}
	return sum ^ ${i};
}`,
  );
  const calls = Array.from({ length: count }, (_, i) => `	sum += ${unit}_${i}(vm, sum);`).join('\n');
  return `
#include "vm.h"
__attribute__((cold, noinline)) void vmm_panic(int why);
long variable_of_${unit} = 7;
static inline long helper(struct vm *vm, long n)
{
	long sum = 0;
	for (long k = 0; k < n; k++)
		sum += vm->regs[k & 15] ^ port_read(k);
	return sum;
}
${functions.join('\n')}
long ${unit}_all(struct vm *vm)
{
	long sum = variable_of_${unit};
${calls}
	__asm__ volatile ("vmcall; vmlaunch");
	return sum;
}
`;
}

const UNITS = ['early', 'middle', 'late'];

/** The program of programs.ts with three more units, `early`, `middle` and `late`: five pages of code or more. */
export function buildManyFunctions(shop: Workshop, output: string, flags: readonly string[]): string {
  const sources = [...writeSources(shop), ...UNITS.map((unit) => shop.write(`${unit}.c`, manyFunctions(unit, 24)))];
  return buildElf(shop, output, ['-Wl,-u,early_all,-u,middle_all,-u,late_all', ...flags], sources);
}
