/* The VMCS's control fields: what is wanted, masked with what the processor offers and forces. */
#include "../include/cpu.h"
#include "../include/msr.h"
#include "../include/string.h"
#include "../include/vt.h"

#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_MISC_WAIT_FOR_SIPI BIT(8)

/* SDM Vol. 3 Appendix A.3-A.5: low half = bits that must be 1, high half = bits that may be 1. The "true" registers, where
   they exist, allow the default1 controls (CR3 exiting among them) to be 0. */
static u32 masked(u32 wanted, u32 msr, u32 true_msr)
{
	const u64 capability = rdmsr(rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS ? true_msr : msr);

	return (wanted | (u32)capability) & (u32)(capability >> 32);
}

/* All zero: no access to the MSRs it covers exits (SDM Vol. 3 section 25.6.9). */
static u64 msr_bitmap(void)
{
	static u8 bitmap[4096] ALIGNED(4096);

	return virt_to_phys(bitmap);
}

static void processor_based_controls(struct vcpu *vcpu)
{
	const u32 primary = masked(PRIMARY_USE_MSR_BITMAPS | PRIMARY_ACTIVATE_SECONDARY, MSR_IA32_VMX_PROCBASED_CTLS,
				   MSR_IA32_VMX_TRUE_PROCBASED_CTLS);
	u32 wanted = SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_XSAVES | SECONDARY_USER_WAIT_PAUSE, secondary = 0;

	vmwrite(PRIMARY_CONTROLS, primary);
	if (primary & PRIMARY_USE_MSR_BITMAPS)
		vmwrite(MSR_BITMAP, msr_bitmap());
	if (primary & PRIMARY_ACTIVATE_SECONDARY) {
		if (ept_usable()) /* unrestricted guest requires EPT, SDM Vol. 3 section 27.2.1.1 */
			wanted |= SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST;
		secondary = masked(wanted, MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_PROCBASED_CTLS2);
		vmwrite(SECONDARY_CONTROLS, secondary);
	}
	vcpu->ept = secondary & SECONDARY_EPT;
	vcpu->unrestricted_guest = secondary & SECONDARY_UNRESTRICTED_GUEST;
	if (vcpu->ept)
		vmwrite(EPT_POINTER, ept_pointer());
	if (secondary & SECONDARY_XSAVES)
		vmwrite(XSS_EXITING_BITMAP, 0);
}

void vt_set_controls(void)
{
	struct vcpu *vcpu = current;
	u32 exit, entry;

	/* External interrupts and NMIs go straight to the guest: nothing is wanted here. */
	vmwrite(PIN_BASED_CONTROLS, masked(0, MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS));
	processor_based_controls(vcpu);
	exit = masked(EXIT_HOST_ADDRESS_SPACE_SIZE | EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_EFER | EXIT_LOAD_EFER, MSR_IA32_VMX_EXIT_CTLS,
		      MSR_IA32_VMX_TRUE_EXIT_CTLS);
	entry = masked(ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_EFER, MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS);
	vcpu->efer_switched = (exit & EXIT_SAVE_EFER) && (exit & EXIT_LOAD_EFER) && (entry & ENTRY_LOAD_EFER);
	if (!vcpu->efer_switched) {
		exit &= ~(u32)(EXIT_SAVE_EFER | EXIT_LOAD_EFER);
		entry &= ~(u32)ENTRY_LOAD_EFER;
	}
	vmwrite(VM_EXIT_CONTROLS, exit);
	vmwrite(VM_ENTRY_CONTROLS, entry);
	vcpu->wait_for_sipi = rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_WAIT_FOR_SIPI;

	vmwrite(EXCEPTION_BITMAP, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(TSC_OFFSET, 0);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_INTERRUPTION_INFO, 0);
	vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, 0);
	vmwrite(VMCS_LINK_POINTER, ~0ull);
}
