/* The three functions gcc may call by itself; the string instructions keep them short in instructions retired. */
#include "../include/string.h"

void *memcpy(void *to, const void *from, unsigned long n)
{
	void *d = to;
	unsigned long words = n / 8;

	asm volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	n %= 8;
	asm volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int value, unsigned long n)
{
	void *d = to;
	unsigned long words = n / 8;

	asm volatile("rep stosq" : "+D"(d), "+c"(words) : "a"((u8)value * 0x0101010101010101ull) : "memory");
	n %= 8;
	asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, unsigned long n)
{
	const u8 *x = a, *y = b;

	for (; n > 0; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
