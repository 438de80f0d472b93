/* The VMM's services, vmcall.h. */
#include "../include/vmcall.h"
#include "../include/exits.h"

#define AR_DPL(rights) ((rights) >> 5 & 3)

void exit_vmcall(void)
{
	u64 *rax = &current->gpr[RAX];

	if (AR_DPL(vmread(GUEST_SS_ACCESS_RIGHTS)) != 0) { /* SS.DPL is the CPL */
		inject_exception(VECTOR_UD);
		return;
	}
	switch (*rax) {
	case VMCALL_SIGNATURE: *rax = VMCALL_SIGNATURE_VALUE; break;
	case VMCALL_EXIT_COUNT: *rax = current->exits; break;
	case VMCALL_CPU_INDEX: *rax = this_cpu()->index; break;
	default: *rax = VMCALL_UNKNOWN; break;
	}
	skip_instruction();
}
