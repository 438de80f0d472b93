#include "../include/core.h"

void halt_forever(void)
{
	kprintf("vmxguest: processor %u halted\n", this_cpu()->index);
	for (;;)
		asm volatile("cli; hlt");
}
