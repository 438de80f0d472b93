/* Exceptions of the VMM itself: a message and a halt, except for RDMSR and WRMSR of a register the processor lacks. */
#include "../include/core.h"
#include "../include/cpu.h"
#include "../include/layout.h"

#define VECTORS 32
#define VECTOR_NMI 2
#define VECTOR_GP 13
#define STUB_SIZE 16

struct exception_frame { /* what idt_stubs.S leaves on the stack */
	u64 r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
	u64 vector, error_code, rip, cs, rflags, rsp, ss;
};

static u64 idt[VECTORS][2] ALIGNED(16);

extern u8 exception_stubs[];					       /* idt_stubs.S */
extern u8 msr_access_rdmsr[], msr_access_wrmsr[], msr_access_failed[]; /* msr_access.S */
bool msr_access_read(u32 msr, u64 *value);
bool msr_access_write(u32 msr, u64 value);

bool rdmsr_safe(u32 msr, u64 *value) { return msr_access_read(msr, value); }
bool wrmsr_safe(u32 msr, u64 value) { return msr_access_write(msr, value); }

void exception(struct exception_frame *frame)
{
	if (frame->vector == VECTOR_NMI)
		return; /* one that came while the VMM ran, for a few hundred instructions: it is lost to the guest */
	if (frame->vector == VECTOR_GP && (frame->rip == (u64)msr_access_rdmsr || frame->rip == (u64)msr_access_wrmsr)) {
		frame->rip = (u64)msr_access_failed;
		return;
	}
	panic("exception %llu, error code 0x%llx, rip 0x%llx, rsp 0x%llx\n", frame->vector, frame->error_code, frame->rip, frame->rsp);
}

/* 64-bit interrupt gates, SDM Vol. 3 section 6.14.1 */
void idt_load(void)
{
	const struct dtr idtr = { sizeof idt - 1, (u64)idt };

	for (u32 vector = 0; vector < VECTORS; vector++) {
		const u64 stub = (u64)exception_stubs + vector * STUB_SIZE;

		idt[vector][0] = (stub & 0xffff) | SEL_CODE64 << 16 | 0x8e0000000000 | (stub >> 16 & 0xffff) << 48;
		idt[vector][1] = stub >> 32;
	}
	lidt(&idtr);
}
