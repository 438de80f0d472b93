/* XSETBV always exits. XCR0 is shared with the guest: the VMM uses no extended state. SDM Vol. 1 section 13.3 and
   SDM Vol. 2, XSETBV, say which values fault. */
#include "../include/cpu.h"
#include "../include/exits.h"

#define X87 BIT(0)
#define SSE BIT(1)
#define AVX BIT(2)
#define MPX (BIT(3) | BIT(4))
#define AVX512 (BIT(5) | BIT(6) | BIT(7))
#define AMX (BIT(17) | BIT(18))

static bool all_or_none(u64 value, u64 bits)
{
	return (value & bits) == 0 || (value & bits) == bits;
}

static bool valid(u64 value)
{
	const struct cpuid_result offered = cpuid(0xd, 0);
	const u64 supported = offered.eax | (u64)offered.edx << 32;

	if (!(value & X87) || (value & ~supported))
		return false;
	if ((value & AVX) && !(value & SSE))
		return false;
	if ((value & AVX512) && !(value & AVX))
		return false;
	return all_or_none(value, MPX) && all_or_none(value, AVX512) && all_or_none(value, AMX);
}

void exit_xsetbv(void)
{
	const u64 *gpr = current->gpr;
	const u64 value = (u32)gpr[RAX] | gpr[RDX] << 32;

	if ((u32)gpr[RCX] != 0 || !valid(value)) {
		inject_gp0();
		return;
	}
	xsetbv(0, value);
	skip_instruction();
}
