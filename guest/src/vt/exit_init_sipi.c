/* The guest starts other processors: INIT puts a virtual CPU into the wait-for-SIPI state, SIPI into real mode at the
   vector's page (SDM Vol. 3 sections 9.4.4 and 26.2). */
#include "../include/cpu.h"
#include "../include/exits.h"

#define AR_REAL_MODE_CODE 0x9b

/* Bochs 2.7 saves "blocking by SMI" at exits from the wait-for-SIPI state, and VM entry outside SMM refuses it. */
static void clear_smi_blocking(void)
{
	vmwrite(GUEST_INTERRUPTIBILITY, 0);
}

void exit_init_signal(void)
{
	if (this_cpu()->index == 0) { /* an INIT of the BSP restarts the machine: the reset control register does so */
		kprintf("vmxguest: INIT on the BSP, resetting\n");
		outb(0xcf9, 0x06);
		halt_forever();
	}
	/* An INIT that came in the wait-for-SIPI state is blocked there (SDM Vol. 3 section 26.2), and a processor may hold it
	   until the VM runs: it is older than the start-up IPI that has just ended the wait. */
	if (current->exits == current->exit_of_sipi + 1 && vmread(GUEST_RIP) == 0) {
		clear_smi_blocking();
		return;
	}
	init_state_of_processor();
}

void exit_sipi(void)
{
	const u64 vector = vmread(EXIT_QUALIFICATION) & 0xff;

	kprintf("vmxguest: processor %u: start-up IPI, vector 0x%02llx\n", this_cpu()->index, vector);
	if (!current->unrestricted_guest)
		panic("start-up IPI: real mode needs an unrestricted guest; this processor stays with the VMM\n");
	current->exit_of_sipi = current->exits;
	guest_segment(SEG_CS, (u16)(vector << 8), vector << 12, 0xffff, AR_REAL_MODE_CODE);
	vmwrite(GUEST_RIP, 0);
	clear_smi_blocking();
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}
