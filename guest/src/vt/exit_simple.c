/* Exits with one-line answers. */
#include "../include/cpu.h"
#include "../include/exits.h"

/* INVD would drop the VMM's dirty lines as well: write them back first (SDM Vol. 2, INVD). */
void exit_invd(void)
{
	wbinvd();
	skip_instruction();
}

/* INVLPG: without VPID the exit itself has flushed the guest's translations (SDM Vol. 3 section 29.4.3.1). */
void exit_flush_by_exit(void)
{
	skip_instruction();
}

/* VMX instructions: the guest has no VMX. */
void exit_undefined(void)
{
	inject_exception(VECTOR_UD);
}
