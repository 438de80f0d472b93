/* One inline function per instruction that C cannot express. */
#pragma once
#include "types.h"

struct dtr { /* operand of LGDT, SGDT, LIDT, SIDT in 64-bit mode */
	u16 limit;
	u64 base;
} PACKED;

struct cpuid_result {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_result r;
	asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;
	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 value;
	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#define DEFINE_CR(name) \
	static inline u64 read_##name(void) \
	{ \
		u64 value; \
		asm volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
		return value; \
	} \
	static inline void write_##name(u64 value) \
	{ \
		asm volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}
DEFINE_CR(cr0)
DEFINE_CR(cr3)
DEFINE_CR(cr4)
DEFINE_CR(dr7)

static inline void lgdt(const struct dtr *d) { asm volatile("lgdt %0" : : "m"(*d)); }
static inline void lidt(const struct dtr *d) { asm volatile("lidt %0" : : "m"(*d)); }
static inline void ltr(u16 selector) { asm volatile("ltr %0" : : "r"(selector) : "memory"); }
static inline void cpu_pause(void) { asm volatile("pause" : : : "memory"); }
static inline void wbinvd(void) { asm volatile("wbinvd" : : : "memory"); }

static inline void xsetbv(u32 index, u64 value)
{
	asm volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define CR0_PE BIT(0)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define CR4_PGE BIT(7)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define RFLAGS_FIXED BIT(1)
#define RFLAGS_TF BIT(8)
