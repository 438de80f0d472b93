/* Writes "[row] name" to COM1 by programmed I/O: works in the loader, in the VMM and before paging is ours. */
#pragma once
#include "cpu.h"

#define COM1 0x3f8
#define COM1_LINE_STATUS (COM1 + 5)
#define LINE_STATUS_THR_EMPTY 0x20
#define SERIAL_PATIENCE 100000 /* polls before a byte is written anyway: no UART must not mean no boot */

static inline void com1_putc(char c)
{
	for (u32 i = 0; i < SERIAL_PATIENCE && !(inb(COM1_LINE_STATUS) & LINE_STATUS_THR_EMPTY); i++)
		cpu_pause();
	outb(COM1, (u8)c);
}

static inline void com1_puts(const char *s)
{
	for (; *s; s++)
		com1_putc(*s);
}

static inline void row_port_line(const char *name)
{
	com1_puts("[row] ");
	com1_puts(name);
	com1_puts("\r\n");
}
