/* A GiB above 4 GiB that the guest touches first is mapped; a touch of the VMM's memory is reported. */
#include "../include/exits.h"

void exit_ept_violation(void)
{
	const u64 address = vmread(GUEST_PHYSICAL_ADDRESS);

	if (!ept_map_on_demand(address))
		panic("EPT violation: guest physical 0x%llx, qualification 0x%llx, rip 0x%llx\n", address, vmread(EXIT_QUALIFICATION),
		      vmread(GUEST_RIP));
}
