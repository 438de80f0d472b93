/* What happens after a VM exit: a row for each basic exit reason (SDM Vol. 3 Appendix C). A row without a handler is
   not expected with the controls this VMM sets: it is reported and ends the virtual CPU. */
#include "../include/exits.h"

static const struct {
	const char *name;
	void (*handler)(void);
} exits[] = {
	[0] = { "exception or NMI", NULL },
	[1] = { "external interrupt", NULL },
	[2] = { "triple fault", NULL },
	[3] = { "INIT signal", exit_init_signal },
	[4] = { "start-up IPI", exit_sipi },
	[7] = { "interrupt window", NULL },
	[8] = { "NMI window", NULL },
	[9] = { "task switch", NULL },
	[10] = { "CPUID", exit_cpuid },
	[11] = { "GETSEC", exit_undefined },
	[12] = { "HLT", NULL },
	[13] = { "INVD", exit_invd },
	[14] = { "INVLPG", exit_flush_by_exit },
	[15] = { "RDPMC", NULL },
	[16] = { "RDTSC", NULL },
	[17] = { "RSM", NULL },
	[18] = { "VMCALL", exit_vmcall },
	[19] = { "VMCLEAR", exit_undefined },
	[20] = { "VMLAUNCH", exit_undefined },
	[21] = { "VMPTRLD", exit_undefined },
	[22] = { "VMPTRST", exit_undefined },
	[23] = { "VMREAD", exit_undefined },
	[24] = { "VMRESUME", exit_undefined },
	[25] = { "VMWRITE", exit_undefined },
	[26] = { "VMXOFF", exit_undefined },
	[27] = { "VMXON", exit_undefined },
	[28] = { "control-register access", exit_cr_access },
	[29] = { "MOV DR", NULL },
	[30] = { "I/O instruction", NULL },
	[31] = { "RDMSR", exit_rdmsr },
	[32] = { "WRMSR", exit_wrmsr },
	[33] = { "VM-entry failure: invalid guest state", NULL },
	[34] = { "VM-entry failure: MSR loading", NULL },
	[36] = { "MWAIT", NULL },
	[37] = { "monitor trap flag", NULL },
	[39] = { "MONITOR", NULL },
	[40] = { "PAUSE", NULL },
	[41] = { "VM-entry failure: machine-check event", NULL },
	[43] = { "TPR below threshold", NULL },
	[44] = { "APIC access", NULL },
	[45] = { "virtualized EOI", NULL },
	[46] = { "access to GDTR or IDTR", NULL },
	[47] = { "access to LDTR or TR", NULL },
	[48] = { "EPT violation", exit_ept_violation },
	[49] = { "EPT misconfiguration", NULL },
	[50] = { "INVEPT", exit_undefined },
	[51] = { "RDTSCP", NULL },
	[52] = { "VMX-preemption timer", NULL },
	[53] = { "INVVPID", exit_undefined },
	[54] = { "WBINVD", NULL },
	[55] = { "XSETBV", exit_xsetbv },
	[57] = { "RDRAND", NULL },
	[58] = { "INVPCID", NULL },
	[59] = { "VMFUNC", exit_undefined },
	[60] = { "ENCLS", exit_undefined },
	[61] = { "RDSEED", NULL },
	[63] = { "XSAVES", NULL },
	[64] = { "XRSTORS", NULL },
};

static void report(u64 reason, const char *name)
{
	kprintf("vmxguest: processor %u: VM exit %llu (%s), qualification 0x%llx\n", this_cpu()->index, reason & 0xffff, name,
		vmread(EXIT_QUALIFICATION));
	kprintf("vmxguest: guest cs:rip %llx:%llx rflags %llx cr0 %llx cr3 %llx cr4 %llx\n", vmread(GUEST_CS_SELECTOR), vmread(GUEST_RIP),
		vmread(GUEST_RFLAGS), vmread(GUEST_CR0), vmread(GUEST_CR3), vmread(GUEST_CR4));
}

/* An event whose delivery the exit interrupted is delivered again (SDM Vol. 3 section 25.9.3 gives the format). */
static void continue_event_delivery(void)
{
	const u64 info = vmread(IDT_VECTORING_INFO);

	if (!(info & INTERRUPTION_VALID) || (vmread(VM_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_VALID))
		return;
	vmwrite(VM_ENTRY_INTERRUPTION_INFO, info & ~BIT(12)); /* bit 12 is undefined there, reserved here */
	if (info & INTERRUPTION_ERROR_CODE)
		vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, vmread(IDT_VECTORING_ERROR_CODE));
	vmwrite(VM_ENTRY_INSTRUCTION_LENGTH, vmread(VM_EXIT_INSTRUCTION_LENGTH));
}

void vt_exit(void)
{
	const u64 reason = vmread(EXIT_REASON), basic = reason & 0xffff;
	const char *name = basic < ARRAY_SIZE(exits) && exits[basic].name ? exits[basic].name : "unknown";

	current->exits++;
	if ((reason & BIT(31)) || basic >= ARRAY_SIZE(exits) || !exits[basic].handler) {
		report(reason, name);
		panic("nothing handles this VM exit\n");
	}
	exits[basic].handler();
	continue_event_delivery();
}
