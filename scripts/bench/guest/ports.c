/* Port I/O: the POST port, the serial port's status, PCI configuration space. */
#include "privileged.h"

enum { ROUNDS = 20000 };

static void run_ports(void)
{
	for (u32 n = 0; n < ROUNDS; n++) {
		u32 v;
		out8(0x80, n);
		result += in8(0x3fd);
		__asm__ volatile("outl %0, %w1" ::"a"(0x80000000), "Nd"(0xcf8));
		__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(0xcfc));
		result += v;
	}
}

const struct kernel ports_kernel = { .run = run_ports, .operations = 4 * ROUNDS };
