/* CPUID shows the processor without VMX. Bits that mirror CR4 must mirror the guest's (SDM Vol. 2, CPUID). */
#include "../include/cpu.h"
#include "../include/exits.h"

#define LEAF1_ECX_VMX BIT(5)
#define LEAF1_ECX_OSXSAVE BIT(27)
#define LEAF7_ECX_OSPKE BIT(4)

static u32 mirror(u32 word, u32 bit, bool set)
{
	return set ? word | bit : word & ~bit;
}

void exit_cpuid(void)
{
	u64 *gpr = current->gpr;
	const u32 leaf = (u32)gpr[RAX], subleaf = (u32)gpr[RCX];
	struct cpuid_result r = cpuid(leaf, subleaf);

	if (leaf == 1) {
		r.ecx &= ~(u32)LEAF1_ECX_VMX;
		r.ecx = mirror(r.ecx, LEAF1_ECX_OSXSAVE, vmread(GUEST_CR4) & CR4_OSXSAVE);
	}
	if (leaf == 7 && subleaf == 0)
		r.ecx = mirror(r.ecx, LEAF7_ECX_OSPKE, vmread(GUEST_CR4) & CR4_PKE);
	gpr[RAX] = r.eax;
	gpr[RBX] = r.ebx;
	gpr[RCX] = r.ecx;
	gpr[RDX] = r.edx;
	skip_instruction();
}
