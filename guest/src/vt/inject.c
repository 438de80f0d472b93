/* Ends of exit handlers: the instruction is done, or it faults. */
#include "../include/cpu.h"
#include "../include/vt.h"

#define INTERRUPTIBILITY_STI_MOVSS 3
#define PENDING_DEBUG_BS BIT(14)
#define AR_LONG BIT(13)

/* SDM Vol. 3 section 27.8.3: hardware exceptions, with an error code only where the guest can take one */
void inject_exception(u32 vector)
{
	u64 info = INTERRUPTION_VALID | INTERRUPTION_HARDWARE_EXCEPTION | vector;

	if (vector == VECTOR_GP && (vmread(GUEST_CR0) & CR0_PE)) {
		info |= INTERRUPTION_ERROR_CODE;
		vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, 0);
	}
	vmwrite(VM_ENTRY_INTERRUPTION_INFO, info);
}

void inject_gp0(void)
{
	inject_exception(VECTOR_GP);
}

void skip_instruction(void)
{
	u64 rip = vmread(GUEST_RIP) + vmread(VM_EXIT_INSTRUCTION_LENGTH);

	if (!((guest_read_efer() & EFER_LMA) && (vmread(GUEST_CS_ACCESS_RIGHTS) & AR_LONG)))
		rip &= 0xffffffff;
	vmwrite(GUEST_RIP, rip);
	vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~(u64)INTERRUPTIBILITY_STI_MOVSS);
	if (vmread(GUEST_RFLAGS) & RFLAGS_TF) /* a single step ends here too */
		vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, vmread(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DEBUG_BS);
}
