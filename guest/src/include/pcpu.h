/* What each processor has for itself; reached through GS. */
#pragma once
#include "types.h"

struct thread { /* a cooperative thread of one processor, see core/thread.c */
	u64 rsp; /* offset 0: thread_switch writes it */
	struct thread *next; /* ring of the processor's threads */
	void (*function)(void *);
	void *argument;
	bool exited;
};
struct vcpu;

struct tss64 { /* SDM Vol. 3 section 8.7 */
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, io_map_base;
} PACKED;

struct pcpu {
	struct pcpu *self; /* offset 0: this_cpu() reads it */
	u32 index;	   /* 0: the BSP */
	u64 gdt[5];	   /* null, code, data, TSS (two entries) */
	struct tss64 tss;
	struct vcpu *vcpu;
	struct thread *running; /* see thread.c */
	struct thread main_thread;
};

/* A macro, so that a debugger shows the line that uses it: rows whose first statement it is would stop here otherwise. */
#define this_cpu() \
	({ \
		struct pcpu *this_cpu_; \
		asm volatile("mov %%gs:0, %0" : "=r"(this_cpu_)); \
		this_cpu_; \
	})

#define current (this_cpu()->vcpu)

extern bool pcpu_ready; /* early/print.c: false until the BSP has its struct pcpu */
void pcpu_init(u32 index);
