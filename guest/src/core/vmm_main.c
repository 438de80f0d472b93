/* Rows 7, 8, 9 and 12: what the VMM does on the BSP, and what each other processor does after apinitproc0. */
#include "../include/boot_info.h"
#include "../include/core.h"
#include "../include/vt.h"

BOOT_ROW static void bsp_init_thread(void *argument)
{
	(void)argument;
	ROW();
	initregs();
	copy_uefi_bootcode();
}

BOOT_ROW static void create_pass_vm(void)
{
	ROW();
	current->vmctl->vminit();
	if (this_cpu()->index == 0)
		vmmcall_boot_enable(bsp_init_thread, NULL);
	else
		initregs_ap();
	current->vmctl->start_vm();
}

static void create_vcpu(void)
{
	struct vcpu *vcpu = alloc_pages(1);

	_Static_assert(sizeof *vcpu <= PAGE_SIZE, "struct vcpu");
	vcpu->vmctl = &vt_vmctl;
	current = vcpu;
}

INITFUNC("pcpu0", create_vcpu);
INITFUNC("pcpu9", create_pass_vm); /* the last: it does not return */

BOOT_ROW static void bsp_proc(void)
{
	ROW();
	kprintf("Processor 0 (BSP)\n");
	call_initfunc("pcpu");
	panic("bsp_proc: the VM has ended\n");
}

static void ap_proc(void)
{
	kprintf("Processor %u (AP)\n", this_cpu()->index);
	call_initfunc("pcpu");
	panic("ap_proc: the VM has ended\n");
}

BOOT_ROW void vmm_main(void)
{
	pcpu_init(0);
	ROW();
	kprintf("vmxguest: Starting...\n");
	vt_global_init();
	start_all_processors(bsp_proc, ap_proc);
}
