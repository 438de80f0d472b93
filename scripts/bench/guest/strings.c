/* String instructions: long copies and fills, and the short ones of which programs are full. */
#include "guest.h"

static void movs_bytes(u8 *to, const u8 *from, u64 n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

static void movs_quads(u8 *to, const u8 *from, u64 n)
{
	n /= 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

static void stos_bytes(u8 *to, u64 n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0x5a) : "memory");
}

static void stos_quads(u8 *to, u64 n)
{
	n /= 8;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(0x5a5a5a5aul) : "memory");
}

enum { LONG = 0x10000, ROUNDS = 40, SHORT_ROUNDS = 100000 };

static void run_movs(void)
{
	for (u32 n = 0; n < ROUNDS; n++) {
		movs_bytes(DATA + 0x100000, DATA, LONG);
		movs_quads(DATA + 0x200000, DATA + 0x100008, LONG);
	}
}

static void run_stos(void)
{
	for (u32 n = 0; n < ROUNDS; n++) {
		stos_bytes(DATA, LONG);
		stos_quads(DATA + 0x100000, LONG);
	}
}

static void run_short(void)
{
	for (u32 n = 0; n < SHORT_ROUNDS; n++)
		movs_bytes(DATA + 0x1000 + (n & 63), DATA + (n & 31), 5 + (n & 31));
}

const struct kernel movs_kernel = { .run = run_movs, .operations = 2 * LONG * ROUNDS };
const struct kernel stos_kernel = { .run = run_stos, .operations = 2 * LONG * ROUNDS };
const struct kernel short_kernel = { .run = run_short, .operations = SHORT_ROUNDS };
