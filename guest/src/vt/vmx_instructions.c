/* VMX instructions report through CF (VMfailInvalid) and ZF (VMfailValid): SDM Vol. 3 section 31.2. */
#include "../include/vt.h"

#define VMX_WITH_ADDRESS(name) \
	bool name(u64 phys) \
	{ \
		bool ok; \
		asm volatile(#name " %1" : "=@cca"(ok) : "m"(phys) : "memory"); \
		return ok; /* "above": neither CF nor ZF */ \
	}
VMX_WITH_ADDRESS(vmxon)
VMX_WITH_ADDRESS(vmclear)
VMX_WITH_ADDRESS(vmptrld)

void vmwrite(enum vmcs_field field, u64 value)
{
	bool ok;

	asm volatile("vmwrite %1, %2" : "=@cca"(ok) : "rm"(value), "r"((u64)field));
	if (!ok)
		panic("vmwrite of field 0x%x failed, VM-instruction error %llu\n", (u32)field, vmread(VM_INSTRUCTION_ERROR));
}
