#include "../include/asm.h"

	.text

/* Exceptions that push an error code: SDM Vol. 3 table 6-1 */
#define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

	.balign 16
FUNCTION exception_stubs
	.cfi_undefined rip
	.set vector, 0
	.rept 32
	.balign 16
	.if !(HAS_ERROR_CODE(vector))
	pushq $0
	.endif
	pushq $vector
	jmp exception_common
	.set vector, vector + 1
	.endr
END exception_stubs

FUNCTION exception_common
	.cfi_def_cfa_offset 24		/* the frame the processor pushed starts above vector and error code */
	.cfi_signal_frame
	.cfi_offset rip, -8
	SAVE %rax
	SAVE %rcx
	SAVE %rdx
	SAVE %rsi
	SAVE %rdi
	SAVE %r8
	SAVE %r9
	SAVE %r10
	SAVE %r11
	mov %rsp, %rdi
	cld
	call exception
	RESTORE %r11
	RESTORE %r10
	RESTORE %r9
	RESTORE %r8
	RESTORE %rdi
	RESTORE %rsi
	RESTORE %rdx
	RESTORE %rcx
	RESTORE %rax
	add $16, %rsp
	iretq
END exception_common
