/*
 * mix: like a boot, much code and some of it hot: 4,096 functions, chosen by unpredictable numbers, the first ones more often.
 * once: megabytes of code of which every instruction is executed once.
 */
#include "generate.h"

enum { FUNCTIONS = 4096, CALLS = 100000, ONCE = 0x80000 };

static const u8 *functions[FUNCTIONS];
static u32 choice = 1;

static void setup_mix(void)
{
	struct generator g = { CODE, 1 };
	for (u32 n = 0; n < FUNCTIONS; n++) {
		functions[n] = g.at;
		/* Leaves call nothing, others one of the earlier functions near them. */
		emit_function(&g, 16 + (next_random(&g.random) & 31), n % 4 ? functions[n - 1 - next_random(&g.random) % (n % 4)] : 0);
		g.at = (u8 *)(((u64)g.at + 15) & ~15ul);
	}
}

static void run_mix(void)
{
	for (u32 n = 0; n < CALLS; n++) {
		u32 a = next_random(&choice), b = next_random(&choice), c = next_random(&choice);
		call_generated(functions[((a & 0xfff) * (b & 0xfff) >> 12) * (c & 0xfff) >> 12], a ^ b << 8);
	}
}

static struct generator once = { CODE, 1 };
static u8 *start;

/* New code at a new place each time; when the room is used up, it starts over with other code. */
static void prepare_once(void)
{
	if (once.at + ONCE + 0x1000 > CODE + CODE_SIZE)
		once.at = CODE;
	start = once.at;
	while (once.at < start + ONCE) {
		u8 *jump, *function;
		emit_instructions(&once, 60);
		/* A function, jumped over, then called once. */
		*once.at++ = 0xe9;
		jump = once.at;
		once.at += 4;
		function = once.at;
		emit_instructions(&once, 20);
		*once.at++ = 0xc3;
		*(u32 *)jump = (u32)(once.at - (jump + 4));
		emit_call(&once, function);
	}
	*once.at++ = 0xc3;
}

static void run_once(void)
{
	call_generated(start, 0x5a5a5a5a);
}

const struct kernel mix_kernel = { .setup = setup_mix, .run = run_mix, .operations = CALLS };
const struct kernel once_kernel = { .prepare = prepare_once, .run = run_once, .operations = ONCE };
