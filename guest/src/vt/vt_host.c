/* The VMCS's host state: the processor as it is now (SDM Vol. 3 section 25.5). HOST_RSP and HOST_RIP are written at
   each entry by vt_run.S. */
#include "../include/cpu.h"
#include "../include/layout.h"
#include "../include/msr.h"
#include "../include/vt.h"

void vt_set_host_state(void)
{
	struct pcpu *cpu = this_cpu();
	struct dtr idtr;

	asm volatile("sidt %0" : "=m"(idtr));
	vmwrite(HOST_CR0, read_cr0());
	vmwrite(HOST_CR3, read_cr3());
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_CS_SELECTOR, SEL_CODE64);
	vmwrite(HOST_SS_SELECTOR, SEL_DATA);
	vmwrite(HOST_DS_SELECTOR, SEL_DATA);
	vmwrite(HOST_ES_SELECTOR, SEL_DATA);
	vmwrite(HOST_FS_SELECTOR, 0);
	vmwrite(HOST_GS_SELECTOR, 0);
	vmwrite(HOST_TR_SELECTOR, SEL_TSS);
	vmwrite(HOST_FS_BASE, 0);
	vmwrite(HOST_GS_BASE, (u64)cpu);
	vmwrite(HOST_TR_BASE, (u64)&cpu->tss);
	vmwrite(HOST_GDTR_BASE, (u64)cpu->gdt);
	vmwrite(HOST_IDTR_BASE, idtr.base);
	vmwrite(HOST_IA32_SYSENTER_CS, 0);
	vmwrite(HOST_IA32_SYSENTER_ESP, 0);
	vmwrite(HOST_IA32_SYSENTER_EIP, 0);
	if (current->efer_switched)
		vmwrite(HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
}
