/* A minimal hypervisor: its guest executes CPUID for ever, it counts the exits, as SDM Vol. 3, chapters 24 to 28 want it. */
#include "privileged.h"

enum { EXITS = 5000 };

static u8 vmxon_region[4096] __attribute__((aligned(4096)));
static u8 vmcs[4096] __attribute__((aligned(4096)));
static u64 ept_pml4[512] __attribute__((aligned(4096)));
static u64 ept_pdpt[512] __attribute__((aligned(4096)));
static u64 ept_directory[512] __attribute__((aligned(4096)));
static u8 guest_stack[4096] __attribute__((aligned(16)));

void vm_run(u64 exits), vm_exit(void), vm_guest(void);

static void vmwrite(u64 field, u64 v)
{
	__asm__ volatile("vmwrite %0, %1" ::"r"(v), "r"(field));
}

/* Controls that must be 1, and the wanted ones that may be: appendix A. */
static void control(u64 field, u32 msr, u32 wanted)
{
	u64 allowed = read_msr(msr);
	vmwrite(field, (wanted | (u32)allowed) & allowed >> 32);
}

static u64 cr(int n)
{
	u64 v;
	if (n == 0)
		__asm__ volatile("movq %%cr0, %0" : "=r"(v));
	else if (n == 3)
		__asm__ volatile("movq %%cr3, %0" : "=r"(v));
	else
		__asm__ volatile("movq %%cr4, %0" : "=r"(v));
	return v;
}

static void enable(void)
{
	u64 at = (u64)vmxon_region;
	if (!(read_msr(0x3a) & 1))
		write_msr(0x3a, 5);
	__asm__ volatile("movq %0, %%cr4" ::"r"(cr(4) | 1 << 13));
	*(u32 *)vmxon_region = *(u32 *)vmcs = read_msr(0x480) & 0x7fffffff;
	__asm__ volatile("vmxon %0" ::"m"(at));
	at = (u64)vmcs;
	__asm__ volatile("vmclear %0; vmptrld %0" ::"m"(at));
}

static void segment(u32 n, u32 selector, u32 limit, u32 rights)
{
	vmwrite(0x800 + n * 2, selector);
	vmwrite(0x4800 + n * 2, limit);
	vmwrite(0x4814 + n * 2, rights);
	vmwrite(0x6806 + n * 2, 0);
}

static void setup(void)
{
	struct {
		unsigned short limit;
		u64 base;
	} __attribute__((packed)) idtr, gdtr;
	__asm__ volatile("sidt %0; sgdt %1" : "=m"(idtr), "=m"(gdtr));
	const u64 tss = gdt[5] >> 16 & 0xffffff;
	enable();

	control(0x4000, 0x481, 0);
	control(0x4002, 0x482, 1u << 31);
	control(0x401e, 0x48b, 1 << 1 | 1 << 5); /* EPT, VPID */
	control(0x400c, 0x483, 1 << 9 | 1 << 20 | 1 << 21);
	control(0x4012, 0x484, 1 << 9 | 1 << 14 | 1 << 15);
	ept_pml4[0] = (u64)ept_pdpt + 7;
	ept_pdpt[0] = (u64)ept_directory + 7;
	for (u64 n = 0; n < 512; n++)
		ept_directory[n] = n << 21 | 6 << 3 | 0x87;
	vmwrite(0x201a, (u64)ept_pml4 | 3 << 3 | 6);
	vmwrite(0, 1);

	vmwrite(0xc00, 0x10);
	vmwrite(0xc02, 0x08);
	for (u32 f = 0xc04; f <= 0xc0a; f += 2)
		vmwrite(f, 0x10);
	vmwrite(0xc0c, 0x28);
	vmwrite(0x6c00, cr(0));
	vmwrite(0x6c02, cr(3));
	vmwrite(0x6c04, cr(4));
	vmwrite(0x6c06, 0);
	vmwrite(0x6c08, 0);
	vmwrite(0x6c0a, tss);
	vmwrite(0x6c0c, gdtr.base);
	vmwrite(0x6c0e, idtr.base);
	vmwrite(0x2c02, read_msr(0xc0000080));
	vmwrite(0x2c00, 0x0007040600070406);
	vmwrite(0x6c16, (u64)vm_exit);

	for (u32 n = 0; n < 6; n++)
		segment(n, 0x10, 0xffffffff, 0xc093);
	segment(1, 0x08, 0xffffffff, 0xa09b);
	segment(6, 0, 0, 0x10000);
	segment(7, 0x28, 0x67, 0x8b);
	vmwrite(0x6814, tss);
	vmwrite(0x6816, gdtr.base);
	vmwrite(0x4810, gdtr.limit);
	vmwrite(0x6818, idtr.base);
	vmwrite(0x4812, idtr.limit);
	vmwrite(0x6800, cr(0));
	vmwrite(0x6802, cr(3));
	vmwrite(0x6804, cr(4));
	vmwrite(0x2806, read_msr(0xc0000080));
	vmwrite(0x2804, 0x0007040600070406);
	vmwrite(0x2800, ~0ul);
	vmwrite(0x681a, 0x400);
	vmwrite(0x681c, (u64)(guest_stack + sizeof(guest_stack)));
	vmwrite(0x681e, (u64)vm_guest);
	vmwrite(0x6820, 2);
}

static void run(void)
{
	vm_run(EXITS);
}

const struct kernel vmexit_kernel = { .setup = setup, .run = run, .operations = EXITS };
