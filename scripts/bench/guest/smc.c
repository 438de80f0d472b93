/* Code that rewrites an instruction before executing it. */
#include "guest.h"

enum { ROUNDS = 5000 };

static void setup_smc(void)
{
	CODE[0] = 0xb8; /* mov eax, imm32; ret */
	CODE[5] = 0xc3;
}

static void run_smc(void)
{
	for (u32 n = 0; n < ROUNDS; n++) {
		*(volatile u32 *)(CODE + 1) = n;
		result += ((u32(*)(void))CODE)();
	}
}

const struct kernel smc_kernel = { .setup = setup_smc, .run = run_smc, .operations = ROUNDS };
