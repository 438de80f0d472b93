/* Everything in turn, with code that is always new: memory must not grow. */
#include "guest.h"

extern const struct kernel compute_kernel, mix_kernel, once_kernel, smc_kernel, pf_kernel, ports_kernel, vmexit_kernel, user_int_kernel;

/* The generated code of `mix` lies where `once` and `smc` write: it is made again. */
static const struct kernel *const kernels[] = { &compute_kernel, &mix_kernel, &once_kernel, &pf_kernel, &ports_kernel, &user_int_kernel, &smc_kernel };

static void setup(void)
{
	vmexit_kernel.setup();
}

static void run(void)
{
	for (u32 n = 0; n < sizeof(kernels) / sizeof(kernels[0]); n++) {
		if (kernels[n]->setup)
			kernels[n]->setup();
		if (kernels[n]->prepare)
			kernels[n]->prepare();
		kernels[n]->run();
	}
	vmexit_kernel.run();
}

const struct kernel soak_kernel = { .setup = setup, .run = run, .operations = 1 };
