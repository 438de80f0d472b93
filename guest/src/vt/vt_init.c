/* vminit of row 9: VMXON, a VMCS, its controls and its host state. */
#include "../include/boot_info.h"
#include "../include/cpu.h"
#include "../include/msr.h"
#include "../include/vt.h"

/* CR0 and CR4 bits that VMX operation wants set or clear, SDM Vol. 3 Appendix A.7 and A.8 */
u64 vmx_capability_fixed(u32 fixed0_msr, u64 value)
{
	return (value | rdmsr(fixed0_msr)) & rdmsr(fixed0_msr + 1);
}

static void enable_vmx(void)
{
	const u64 control = rdmsr(MSR_IA32_FEATURE_CONTROL);
	u64 cr4 = read_cr4() | CR4_VMXE;

	if (!(control & FEATURE_CONTROL_LOCK)) /* SDM Vol. 3 section 24.7 */
		wrmsr(MSR_IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON_OUTSIDE_SMX);
	if (cpuid(1, 0).ecx & BIT(26)) /* XSAVE: the XSETBV exit needs it */
		cr4 |= CR4_OSXSAVE;
	write_cr0(vmx_capability_fixed(MSR_IA32_VMX_CR0_FIXED0, read_cr0() & ~(CR0_CD | CR0_NW)));
	write_cr4(vmx_capability_fixed(MSR_IA32_VMX_CR4_FIXED0, cr4));
}

/* A VMXON or VMCS region: 4 KiB with the revision identifier in its first word, SDM Vol. 3 section 25.2 */
static u64 new_region(void)
{
	u32 *region = alloc_pages(1);

	*region = (u32)rdmsr(MSR_IA32_VMX_BASIC) & 0x7fffffff;
	return virt_to_phys(region);
}

static void vt_vminit(void)
{
	struct vcpu *vcpu = current;

	enable_vmx();
	vcpu->vmxon_region = new_region();
	vcpu->vmcs_region = new_region();
	if (!vmxon(vcpu->vmxon_region))
		panic("vmxon failed\n");
	if (!vmclear(vcpu->vmcs_region) || !vmptrld(vcpu->vmcs_region))
		panic("vmclear or vmptrld failed\n");
	vt_set_controls();
	vt_set_host_state();
	if (this_cpu()->index == 0)
		kprintf("vmxguest: VMX on: EPT %s, unrestricted guest %s\n", vcpu->ept ? "yes" : "no", vcpu->unrestricted_guest ? "yes" : "no");
}

const struct vmctl vt_vmctl = { vt_vminit, vt_start_vm };

void vt_global_init(void)
{
	if (ept_usable())
		ept_build();
}
