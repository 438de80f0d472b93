/* The registers of a processor after INIT (SDM Vol. 3 table 10-1): what an AP's VM starts with, in the wait-for-SIPI
   state, and returns to when the guest sends it an INIT. */
#include "../include/cpu.h"
#include "../include/layout.h"
#include "../include/string.h"
#include "../include/vt.h"

#define AR_UNUSABLE 0x10000
#define AR_LDT 0x82
#define AR_TSS_BUSY 0x8b
#define AR_REAL_MODE_DATA 0x93
#define AR_REAL_MODE_CODE 0x9b
#define AR_CODE64 0xa09b
#define AR_DATA 0xc093

/* Without an unrestricted guest no real-mode state can be entered; the VM then only waits, in the VMM's own mode. */
static void waiting_state_in_long_mode(void)
{
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		guest_segment(s, SEL_DATA, 0, 0xffffffff, AR_DATA);
	guest_segment(SEG_CS, SEL_CODE64, 0, 0xffffffff, AR_CODE64);
	guest_segment(SEG_LDTR, 0, 0, 0, AR_UNUSABLE);
	vmwrite(GUEST_CR3, read_cr3());
	guest_cr4(read_cr4() & ~CR4_VMXE);
	guest_efer(EFER_LME | EFER_LMA);
	guest_cr0(read_cr0());
	vmwrite(GUEST_RIP, 0);
}

static void real_mode_state(void)
{
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		guest_segment(s, 0, 0, 0xffff, AR_REAL_MODE_DATA);
	guest_segment(SEG_CS, 0xf000, 0xffff0000, 0xffff, AR_REAL_MODE_CODE);
	guest_segment(SEG_LDTR, 0, 0, 0xffff, AR_LDT);
	vmwrite(GUEST_CR3, 0);
	guest_cr4(0);
	guest_efer(0);
	guest_cr0(CR0_ET);
	vmwrite(GUEST_RIP, 0xfff0);
}

void init_state_of_processor(void)
{
	struct vcpu *vcpu = current;

	if (vcpu->unrestricted_guest)
		real_mode_state();
	else
		waiting_state_in_long_mode();
	guest_segment(SEG_TR, 0, 0, 0xffff, AR_TSS_BUSY);
	vmwrite(GUEST_GDTR_BASE, 0);
	vmwrite(GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(GUEST_IDTR_BASE, 0);
	vmwrite(GUEST_IDTR_LIMIT, 0xffff);
	vmwrite(GUEST_DR7, 0x400);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
	memset(vcpu->gpr, 0, sizeof vcpu->gpr);
	vcpu->gpr[RDX] = cpuid(1, 0).eax;
}

void initregs_ap(void)
{
	init_state_of_processor();
	vmwrite(GUEST_SMBASE, 0);
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_IA32_SYSENTER_CS, 0);
	vmwrite(GUEST_IA32_SYSENTER_ESP, 0);
	vmwrite(GUEST_IA32_SYSENTER_EIP, 0);
	if (!current->wait_for_sipi) {
		ap_has_launched(); /* as far as it will */
		panic("no wait-for-SIPI state: this processor stays with the VMM\n");
	}
}
