/* The memory type of a physical range (SDM Vol. 3 section 12.11). Under EPT the MTRRs no longer apply to the guest
   (section 29.3.7.2), so the EPT entries must say what the MTRRs said. They are read once, when the EPT is built. */
#include "../include/cpu.h"
#include "../include/msr.h"
#include "../include/vt.h"

#define TYPE_UC 0
#define TYPE_WT 4
#define TYPE_WB 6
#define DEF_TYPE_ENABLE BIT(11)
#define DEF_TYPE_FIXED_ENABLE BIT(10)
#define PHYSMASK_VALID BIT(11)
#define RANGES_MAX 32

static struct {
	bool known, enabled, fixed;
	u32 default_type, ranges;
	struct {
		u64 start, end;
		int type;
	} range[RANGES_MAX];
	u64 fixed_msr[11]; /* 64K, 2 x 16K, 8 x 4K */
} mtrr;

static void read_mtrrs(void)
{
	u64 def_type, count;

	mtrr.known = true;
	if (!(cpuid(1, 0).edx & BIT(12))) {
		mtrr.enabled = true; /* no MTRRs: everything is write-back */
		mtrr.default_type = TYPE_WB;
		return;
	}
	def_type = rdmsr(MSR_IA32_MTRR_DEF_TYPE);
	mtrr.enabled = def_type & DEF_TYPE_ENABLE;
	mtrr.fixed = def_type & DEF_TYPE_FIXED_ENABLE;
	mtrr.default_type = def_type & 0xff;
	count = rdmsr(MSR_IA32_MTRRCAP) & 0xff;
	for (u32 i = 0; i < count && mtrr.ranges < RANGES_MAX; i++) {
		const u64 base = rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i), mask = rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i + 1) & ~0xfffull;
		const u64 start = base & ~0xfffull & mask;

		if (!(rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * i + 1) & PHYSMASK_VALID))
			continue;
		mtrr.range[mtrr.ranges].start = start;
		mtrr.range[mtrr.ranges].end = start + (mask & -mask); /* masks are contiguous: the lowest bit is the size */
		mtrr.range[mtrr.ranges++].type = base & 0xff;
	}
	if (mtrr.fixed) {
		mtrr.fixed_msr[0] = rdmsr(MSR_IA32_MTRR_FIX64K_00000);
		for (u32 i = 0; i < 2; i++)
			mtrr.fixed_msr[1 + i] = rdmsr(MSR_IA32_MTRR_FIX16K_80000 + i);
		for (u32 i = 0; i < 8; i++)
			mtrr.fixed_msr[3 + i] = rdmsr(MSR_IA32_MTRR_FIX4K_C0000 + i);
	}
}

static int fixed_type(u64 address)
{
	u64 msr, at;

	if (address < 0x80000) {
		msr = mtrr.fixed_msr[0];
		at = address >> 16;
	} else if (address < 0xc0000) {
		msr = mtrr.fixed_msr[1 + (address - 0x80000 >> 17)];
		at = address >> 14;
	} else {
		msr = mtrr.fixed_msr[3 + (address - 0xc0000 >> 15)];
		at = address >> 12;
	}
	return (int)(msr >> (at & 7) * 8 & 0xff);
}

int mtrr_type_of(u64 start, u64 size)
{
	int type = -1;

	if (!mtrr.known)
		read_mtrrs();
	if (!mtrr.enabled)
		return TYPE_UC;
	if (mtrr.fixed && start < 0x100000)
		return size > PAGE_SIZE ? -1 : fixed_type(start);
	for (u32 i = 0; i < mtrr.ranges; i++) {
		const u64 range_start = mtrr.range[i].start, range_end = mtrr.range[i].end;

		if (range_end <= start || range_start >= start + size)
			continue;
		if (range_start > start || range_end < start + size)
			return -1;
		/* section 12.11.4.1: UC wins over all, WT over WB; other overlaps are undefined */
		if (type < 0 || mtrr.range[i].type == TYPE_UC || (mtrr.range[i].type == TYPE_WT && type == TYPE_WB))
			type = mtrr.range[i].type;
	}
	return type < 0 ? (int)mtrr.default_type : type;
}
