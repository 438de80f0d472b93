/* RDMSR and WRMSR that report a #GP instead of stopping the VMM; idt.c knows the addresses of the two instructions. */
#include "../include/asm.h"

	.text
	.globl msr_access_rdmsr, msr_access_wrmsr, msr_access_failed

/* bool msr_access_read(u32 msr, u64 *value) */
FUNCTION msr_access_read
	mov %edi, %ecx
msr_access_rdmsr:
	rdmsr
	mov %eax, (%rsi)
	mov %edx, 4(%rsi)
	mov $1, %eax
	ret
END msr_access_read

/* bool msr_access_write(u32 msr, u64 value) */
FUNCTION msr_access_write
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
msr_access_wrmsr:
	wrmsr
	mov $1, %eax
	ret
END msr_access_write

FUNCTION msr_access_failed
	xor %eax, %eax
	ret
END msr_access_failed
