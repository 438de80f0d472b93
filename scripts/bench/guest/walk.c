/* Address translation: pages that no TLB holds, INVLPG, CR3 switches. */
#include "privileged.h"

enum { PAGES = 16384, TOUCHES = 4, INVALIDATIONS = 50000, SWITCHES = 20000, TOUCHED = 8 };

/* 64 MiB at 1 GiB in pages of 4 KiB, onto RAM at CODE. */
static u8 *const window = (u8 *)0x40000000;
static u64 *const tables = (u64 *)RAM_END;
static u64 *const other_pml4 = (u64 *)(RAM_END + 0x200000);

static void map_window(void)
{
	u64 *const window_directory = tables + PAGES;
	for (u32 n = 0; n < PAGES; n++)
		tables[n] = (u64)CODE + n * 4096ul + 7;
	for (u32 n = 0; n < PAGES / 512; n++)
		window_directory[n] = (u64)(tables + n * 512) + 7;
	pdpt[1] = (u64)window_directory + 7;
	for (u32 n = 0; n < 512; n++)
		other_pml4[n] = pml4[n];
}

static void run_miss(void)
{
	u64 sum = 0;
	for (u32 k = 0; k < TOUCHES; k++)
		for (u32 n = 0; n < PAGES; n++)
			sum += *(volatile u64 *)(window + n * 4096ul + (n & 63) * 64);
	result += sum;
}

static void run_invlpg(void)
{
	u64 sum = 0;
	for (u32 n = 0; n < INVALIDATIONS; n++) {
		u8 *p = window + (n & 31) * 4096;
		invlpg(p);
		sum += *(volatile u64 *)p;
	}
	result += sum;
}

static void run_cr3(void)
{
	u64 sum = 0;
	for (u32 n = 0; n < SWITCHES; n++) {
		load_cr3((u64)(n & 1 ? pml4 : other_pml4));
		for (u32 k = 0; k < TOUCHED; k++)
			sum += *(volatile u64 *)(window + k * 4096);
	}
	load_cr3((u64)pml4);
	result += sum;
}

const struct kernel miss_kernel = { .setup = map_window, .run = run_miss, .operations = PAGES * TOUCHES };
const struct kernel invlpg_kernel = { .setup = map_window, .run = run_invlpg, .operations = INVALIDATIONS };
const struct kernel cr3_kernel = { .setup = map_window, .run = run_cr3, .operations = SWITCHES };
