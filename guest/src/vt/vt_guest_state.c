/* Guest registers that are more than one VMCS field. */
#include "../include/cpu.h"
#include "../include/msr.h"
#include "../include/vt.h"

void guest_segment(enum segment segment, u16 selector, u64 base, u32 limit, u32 access_rights)
{
	const u32 at = (u32)segment * 2;

	vmwrite(GUEST_ES_SELECTOR + at, selector);
	vmwrite(GUEST_ES_BASE + at, base);
	vmwrite(GUEST_ES_LIMIT + at, limit);
	vmwrite(GUEST_ES_ACCESS_RIGHTS + at, access_rights);
}

/* Bits that VMX forces to 1 belong to the VMM, and the guest sees what it wrote (SDM Vol. 3 section 25.6.6). Unrestricted
   guests may clear PE and PG (Appendix A.7). */
void guest_cr0(u64 value)
{
	u64 forced = rdmsr(MSR_IA32_VMX_CR0_FIXED0);

	if (current->unrestricted_guest)
		forced &= ~(CR0_PE | CR0_PG);
	vmwrite(CR0_GUEST_HOST_MASK, forced);
	vmwrite(CR0_READ_SHADOW, value);
	vmwrite(GUEST_CR0, (value | forced) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
}

/* CR4.VMXE is forced; the guest sees it clear, as its CPUID says there is no VMX. */
void guest_cr4(u64 value)
{
	const u64 forced = rdmsr(MSR_IA32_VMX_CR4_FIXED0) | CR4_VMXE;

	vmwrite(CR4_GUEST_HOST_MASK, forced);
	vmwrite(CR4_READ_SHADOW, value);
	vmwrite(GUEST_CR4, (value | forced) & rdmsr(MSR_IA32_VMX_CR4_FIXED1));
}

/* LMA and the entry control "IA-32e mode guest" go together (SDM Vol. 3 section 27.3.1.1). Without the EFER controls the
   register is shared with the VMM, and VM entry sets LMA and LME from the entry control. */
void guest_efer(u64 value)
{
	const u64 entry = vmread(VM_ENTRY_CONTROLS) & ~ENTRY_IA32E_MODE_GUEST;

	vmwrite(VM_ENTRY_CONTROLS, entry | (value & EFER_LMA ? ENTRY_IA32E_MODE_GUEST : 0));
	if (current->efer_switched)
		vmwrite(GUEST_IA32_EFER, value);
}

u64 guest_read_efer(void)
{
	return current->efer_switched ? vmread(GUEST_IA32_EFER) : rdmsr(MSR_IA32_EFER);
}
