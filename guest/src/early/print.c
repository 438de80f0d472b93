/* Messages on COM1. Programmed I/O only: the UART stays as the firmware set it up, and the firmware or the guest may
   use it at the same time, so each message is one line. */
#include "../include/pcpu.h"
#include "../include/row.h"
#include "../include/row_port.h"

bool pcpu_ready;

static volatile u8 print_lock;

static void put_number(u64 value, u32 base, int width)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value || n < width);
	while (n > 0)
		com1_putc(digits[--n]);
}

/* %s, %c, %u, %x with the flag 0, a width, and the lengths l and ll. */
static void print(const char *format, __builtin_va_list args)
{
	for (; *format; format++) {
		int width = 0, longs = 0;
		u64 value;

		if (*format == '\n')
			com1_putc('\r');
		if (*format != '%') {
			com1_putc(*format);
			continue;
		}
		for (format++; *format >= '0' && *format <= '9'; format++)
			width = width * 10 + *format - '0';
		for (; *format == 'l'; format++)
			longs++;
		if (*format == 's') {
			com1_puts(__builtin_va_arg(args, const char *));
			continue;
		}
		value = longs ? __builtin_va_arg(args, u64) : __builtin_va_arg(args, u32);
		if (*format == 'c')
			com1_putc((char)value);
		else
			put_number(value, *format == 'x' ? 16 : 10, width);
	}
}

void kprintf(const char *format, ...)
{
	__builtin_va_list args;

	while (__atomic_exchange_n(&print_lock, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
	__builtin_va_start(args, format);
	print(format, args);
	__builtin_va_end(args);
	__atomic_store_n(&print_lock, 0, __ATOMIC_RELEASE);
}

void row(const char *name)
{
	if (pcpu_ready && this_cpu()->index != 0)
		kprintf("[row cpu%u] %s\n", this_cpu()->index, name);
	else
		kprintf("[row] %s\n", name);
}
