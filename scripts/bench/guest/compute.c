/* Compiled integer code: a sieve, a bitwise CRC-32, an insertion sort through an indirect call. */
#include "guest.h"

static u8 *const flags = DATA;
static u32 *const items = (u32 *)(DATA + 0x400000);

static u32 sieve(u32 n)
{
	u32 count = 0;
	for (u32 i = 0; i < n; i++)
		flags[i] = 1;
	for (u32 i = 2; i < n; i++)
		if (flags[i]) {
			count++;
			for (u32 k = i * 2; k < n; k += i)
				flags[k] = 0;
		}
	return count;
}

static u32 crc32(const u8 *p, u32 n)
{
	u32 crc = ~0u;
	for (u32 i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

static __attribute__((noinline)) int less(u32 a, u32 b)
{
	return a < b;
}

static u32 sort(u32 n, int (*volatile before)(u32, u32))
{
	u32 x = 1;
	for (u32 i = 0; i < n; i++)
		items[i] = x = x * 1664525 + 1013904223;
	for (u32 i = 1; i < n; i++) {
		u32 v = items[i], k = i;
		for (; k > 0 && before(v, items[k - 1]); k--)
			items[k] = items[k - 1];
		items[k] = v;
	}
	return items[n / 2];
}

static void run_sieve(void)
{
	for (int n = 0; n < 20; n++)
		result += sieve(100000);
}

static void run_crc32(void)
{
	for (int n = 0; n < 20; n++)
		result += crc32(DATA, 20000);
}

static void run_sort(void)
{
	for (int n = 0; n < 10; n++)
		result += sort(1000, less);
}

static void run_compute(void)
{
	for (int n = 0; n < 6; n++)
		result += sieve(100000) + crc32(flags, 20000) + sort(1000, less);
}

const struct kernel sieve_kernel = { .run = run_sieve, .operations = 20 };
const struct kernel crc32_kernel = { .run = run_crc32, .operations = 20 };
const struct kernel sort_kernel = { .run = run_sort, .operations = 10 };
const struct kernel compute_kernel = { .run = run_compute, .operations = 6 };
