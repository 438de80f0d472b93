/* The integer program of the benchmark: a sieve, a bitwise CRC-32, an insertion sort through an indirect call. */
typedef unsigned int u32;
typedef unsigned char u8;

static u8 *const flags = (u8 *)0x400000;
static u32 *const items = (u32 *)0x600000;

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

static int less(u32 a, u32 b)
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

/* The result is left in EAX; HLT ends the program. */
__attribute__((section(".text.start"))) void start(u32 rounds)
{
	u32 sum = 0;
	while (rounds-- > 0)
		sum += sieve(100000) + crc32(flags, 20000) + sort(1000, less);
	__asm__ volatile("hlt" ::"a"(sum));
	__builtin_unreachable();
}
