/* Macros of the assembly files. */
#pragma once

	.cfi_sections .debug_frame	/* for debuggers; nothing unwinds at run time */

/* push and pop that keep backtraces right (macro names are not case-sensitive, so they cannot be PUSH and POP). */
.macro SAVE reg
	push \reg
	.cfi_adjust_cfa_offset 8
.endm

.macro RESTORE reg
	pop \reg
	.cfi_adjust_cfa_offset -8
.endm

/* The same for a register whose saved place was told with .cfi_offset. */
.macro RESTORE_CALLER reg
	RESTORE \reg
	.cfi_restore \reg
.endm

/* A function symbol with a size, so that every symbol reader knows where it ends. */
.macro FUNCTION name
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
.endm

.macro END name
	.cfi_endproc
	.size \name, . - \name
.endm

/* Prints "[row] name"; changes no register but the flags. Works at any address, on any stack. */
.macro ROW name
	SAVE %rsi
	lea 771f(%rip), %rsi
	call row_from_asm
	RESTORE %rsi
	jmp 772f
771:	.asciz "\name"
772:
.endm
