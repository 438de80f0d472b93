#pragma once
#include "guest.h"

extern u64 gdt[], pml4[512], pdpt[512], directory[512];
/* Handlers of exceptions.S go here. */
void set_gate(u32 vector, void (*handler)(void), u32 dpl);

static inline void out8(u32 port, u32 v)
{
	__asm__ volatile("outb %b0, %w1" ::"a"(v), "Nd"(port));
}
static inline u32 in8(u32 port)
{
	u8 v;
	__asm__ volatile("inb %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void write_msr(u32 n, u64 v)
{
	__asm__ volatile("wrmsr" ::"c"(n), "a"((u32)v), "d"((u32)(v >> 32)));
}
static inline u64 read_msr(u32 n)
{
	u32 low, high;
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(n));
	return low | (u64)high << 32;
}
static inline void invlpg(const void *p)
{
	__asm__ volatile("invlpg %0" ::"m"(*(const u8 *)p) : "memory");
}
static inline void load_cr3(u64 v)
{
	__asm__ volatile("movq %0, %%cr3" ::"r"(v) : "memory");
}
