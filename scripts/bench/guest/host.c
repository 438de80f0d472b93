/* The kernels that need no privilege, natively. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include "guest.h"

volatile u64 result;
extern const struct kernel KERNEL;

int main(void)
{
	if (mmap(DATA, DATA_SIZE + CODE_SIZE, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != DATA)
		return 1;
	dprintf(1, "%lu\n", KERNEL.operations);
	if (KERNEL.setup)
		KERNEL.setup();
	for (;;) {
		if (KERNEL.prepare)
			KERNEL.prepare();
		if (write(1, "B", 1) != 1)
			return 0;
		KERNEL.run();
		if (write(1, "E", 1) != 1)
			return 0;
	}
}
