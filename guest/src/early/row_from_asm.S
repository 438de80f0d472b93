/* "[row] " and the text at %rsi to COM1. Position-independent and stack-only: `entry` calls it before it knows where
   it is, uefi_entry_ret calls it as the guest. The patience for a missing UART is that of row_port.h. */
#include "../include/asm.h"

	.section .entry.text, "ax"

FUNCTION row_from_asm
	SAVE %rax
	SAVE %rcx
	SAVE %rdx
	SAVE %rsi
	lea .Lprefix(%rip), %rsi
	call row_puts
	mov (%rsp), %rsi
	call row_puts
	lea .Lsuffix(%rip), %rsi
	call row_puts
	RESTORE %rsi
	RESTORE %rdx
	RESTORE %rcx
	RESTORE %rax
	ret
END row_from_asm

FUNCTION row_puts
1:	mov $100000, %ecx
2:	mov $0x3fd, %edx		/* line status: wait for the transmitter holding register */
	in (%dx), %al
	test $0x20, %al
	jnz 3f
	pause
	dec %ecx
	jnz 2b
3:	mov (%rsi), %al
	inc %rsi
	test %al, %al
	jz 4f
	mov $0x3f8, %edx
	out %al, (%dx)
	jmp 1b
4:	ret
END row_puts
.Lprefix:
	.asciz "[row] "
.Lsuffix:
	.asciz "\r\n"
