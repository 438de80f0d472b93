/* The guest starts other processors: INIT puts a virtual CPU into the wait-for-SIPI state, SIPI into real mode at the
   vector's page (SDM Vol. 3 sections 9.4.4 and 26.2). */
#include "../include/cpu.h"
#include "../include/exits.h"

#define AR_REAL_MODE_CODE 0x9b

void exit_init_signal(void)
{
	if (this_cpu()->index == 0) { /* an INIT of the BSP restarts the machine: the reset control register does so */
		kprintf("vmxguest: INIT on the BSP, resetting\n");
		outb(0xcf9, 0x06);
		halt_forever();
	}
	init_state_of_processor();
}

void exit_sipi(void)
{
	const u64 vector = vmread(EXIT_QUALIFICATION) & 0xff;

	if (!current->unrestricted_guest)
		panic("start-up IPI: real mode needs an unrestricted guest; this processor stays with the VMM\n");
	guest_segment(SEG_CS, (u16)(vector << 8), vector << 12, 0xffff, AR_REAL_MODE_CODE);
	vmwrite(GUEST_RIP, 0);
	vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}
