/* The VMM's own services, core/. */
#pragma once
#include "pcpu.h"
#include "row.h"

/* initfunc.c: functions that run at a phase of start-up, in the order of their names */
struct initfunc {
	const char *name;
	void (*function)(void);
};
#define INITFUNC(phase, fn) \
	static const struct initfunc initfunc_##fn __attribute__((used, section(".initfunc." phase))) = { phase, fn }
void call_initfunc(const char *phase);

/* page_alloc.c */
void *alloc_pages(u32 count); /* zeroed, contiguous, never given back */
u64 virt_to_phys(const void *p);

/* thread.c */
struct thread *thread_new(void (*function)(void *), void *argument);
void schedule(void);

/* vmmcall_boot.c */
void vmmcall_boot_enable(void (*function)(void *), void *argument);

/* smp.c */
void start_all_processors(void (*bsp)(void), void (*ap)(void));
void ap_has_launched(void);

/* idt.c */
void idt_load(void);
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);

/* panic.c */
#define panic(...) (kprintf("vmxguest: panic: " __VA_ARGS__), halt_forever())
void halt_forever(void) NORETURN;
