/* Rows 13, 14 and 15: the loop of a virtual CPU. */
#include "../include/vt.h"

BOOT_ROW static void vt__vm_run(void)
{
	struct vcpu *vcpu = current;
	int failure;

	if (!vcpu->launched) {
		ROW();
		vcpu->launched = true;
		if (this_cpu()->index != 0)
			ap_has_launched();
		failure = vt__vm_run_first(vcpu->gpr);
	} else {
		failure = vt__vm_resume(vcpu->gpr);
	}
	if (failure == 2)
		panic("VM entry failed, VM-instruction error %llu\n", vmread(VM_INSTRUCTION_ERROR));
	if (failure)
		panic("VM entry failed without a current VMCS\n");
}

BOOT_ROW static void vt_mainloop(void)
{
	ROW();
	for (;;) {
		schedule();
		vt__vm_run();
		vt_exit();
	}
}

BOOT_ROW void vt_start_vm(void)
{
	ROW();
	vt_mainloop();
}
