/* RDMSR and WRMSR exit for registers outside the bitmaps' two ranges, or on a processor without bitmaps. The registers that
   the VMCS holds for the guest are taken there; all others are the processor's own. */
#include "../include/exits.h"
#include "../include/msr.h"

static bool vmcs_field_of(u32 msr, enum vmcs_field *field)
{
	switch (msr) {
	case MSR_IA32_FS_BASE: *field = GUEST_FS_BASE; return true;
	case MSR_IA32_GS_BASE: *field = GUEST_GS_BASE; return true;
	case MSR_IA32_SYSENTER_CS: *field = GUEST_IA32_SYSENTER_CS; return true;
	case MSR_IA32_SYSENTER_ESP: *field = GUEST_IA32_SYSENTER_ESP; return true;
	case MSR_IA32_SYSENTER_EIP: *field = GUEST_IA32_SYSENTER_EIP; return true;
	case MSR_IA32_DEBUGCTL: *field = GUEST_IA32_DEBUGCTL; return true;
	case MSR_IA32_EFER: *field = GUEST_IA32_EFER; return current->efer_switched;
	default: return false;
	}
}

void exit_rdmsr(void)
{
	u64 *gpr = current->gpr, value = 0;
	enum vmcs_field field;

	if (vmcs_field_of((u32)gpr[RCX], &field))
		value = vmread(field);
	else if (!rdmsr_safe((u32)gpr[RCX], &value)) {
		inject_gp0();
		return;
	}
	gpr[RAX] = (u32)value;
	gpr[RDX] = value >> 32;
	skip_instruction();
}

void exit_wrmsr(void)
{
	u64 *gpr = current->gpr;
	const u64 value = (u32)gpr[RAX] | gpr[RDX] << 32;
	enum vmcs_field field;

	if (vmcs_field_of((u32)gpr[RCX], &field))
		vmwrite(field, value);
	else if (!wrmsr_safe((u32)gpr[RCX], value)) {
		inject_gp0();
		return;
	}
	skip_instruction();
}
