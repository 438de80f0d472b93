#include "../include/asm.h"

	.text

/* thread_switch(u64 *save_rsp, u64 rsp): the callee-saved registers are the whole context. */
FUNCTION thread_switch
	SAVE %rbp
	SAVE %rbx
	SAVE %r12
	SAVE %r13
	SAVE %r14
	SAVE %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	RESTORE %r15
	RESTORE %r14
	RESTORE %r13
	RESTORE %r12
	RESTORE %rbx
	RESTORE %rbp
	ret
END thread_switch

FUNCTION thread_start
	.cfi_undefined rip
	xor %ebp, %ebp
	call thread_body
	hlt
END thread_start
