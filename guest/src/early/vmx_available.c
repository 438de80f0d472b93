/* Asked before anything is taken from the firmware: afterwards there is no way back. */
#include "../include/cpu.h"
#include "../include/early.h"
#include "../include/msr.h"
#include "../include/row.h"

#define CPUID_1_ECX_VMX BIT(5)

/* SDM Vol. 3 sections 24.6 and 24.7 (discovering support for VMX; enabling and entering VMX operation) */
EFI_STATUS vmx_available(void)
{
	u64 control;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		kprintf("vmxguest: this processor has no VMX\n");
		return EFI_UNSUPPORTED;
	}
	control = rdmsr(MSR_IA32_FEATURE_CONTROL);
	if ((control & FEATURE_CONTROL_LOCK) && !(control & FEATURE_CONTROL_VMXON_OUTSIDE_SMX)) {
		kprintf("vmxguest: the firmware has locked VMX off\n");
		return EFI_UNSUPPORTED;
	}
	return EFI_SUCCESS;
}
