/* The machine: serial port, IDT, TSS; then the kernel for ever. */
#include "privileged.h"

volatile u64 result;
extern const struct kernel KERNEL;

struct gate {
	unsigned short low, selector, type, middle;
	u32 high, reserved;
};
static struct gate idt[256];
static struct {
	u32 reserved;
	u64 rsp0;
	u8 rest[92];
} __attribute__((packed, aligned(16))) tss;
static u8 ring0_stack[8192] __attribute__((aligned(16)));

void set_gate(u32 vector, void (*handler)(void), u32 dpl)
{
	u64 at = (u64)handler;
	idt[vector] = (struct gate){ at & 0xffff, 8, 0x8e00 | dpl << 13, at >> 16 & 0xffff, at >> 32, 0 };
}

static void put(u32 c)
{
	while (!(in8(0x3fd) & 0x20))
		;
	out8(0x3f8, c);
}

static void put_number(u64 n)
{
	if (n >= 10)
		put_number(n / 10);
	put('0' + n % 10);
}

void main(void)
{
	u64 at = (u64)&tss;
	struct {
		unsigned short limit;
		u64 base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (u64)idt };
	__asm__ volatile("lidt %0" ::"m"(pointer));
	tss.rsp0 = (u64)(ring0_stack + sizeof(ring0_stack));
	gdt[5] = 0x67 | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24) << 56;
	__asm__ volatile("ltr %w0" ::"r"(0x28));

	out8(0x3fb, 0x83); /* 115,200 baud, 8N1 */
	out8(0x3f8, 1);
	out8(0x3f9, 0);
	out8(0x3fb, 3);
	put_number(KERNEL.operations);
	put('\n');
	if (KERNEL.setup)
		KERNEL.setup();
	for (;;) {
		if (KERNEL.prepare)
			KERNEL.prepare();
		put('B');
		KERNEL.run();
		put('E');
	}
}
