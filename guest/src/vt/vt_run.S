/* Row 15: VMLAUNCH and VMRESUME. A VM exit continues at vm_exit with the RSP the entry left in the VMCS, so entry and
   exit together look like one call to C. Structure: struct vcpu, gpr[] at offset 0. */
#include "../include/asm.h"

#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

	.text

/* Where SAVE_CALLER has put the caller's registers: they are the guest's around VMLAUNCH, and a backtrace needs them. */
.macro CALLER_SAVED
	.cfi_def_cfa_offset 64
	.cfi_offset rbp, -16
	.cfi_offset rbx, -24
	.cfi_offset r12, -32
	.cfi_offset r13, -40
	.cfi_offset r14, -48
	.cfi_offset r15, -56
.endm

.macro SAVE_CALLER
	SAVE %rbp
	SAVE %rbx
	SAVE %r12
	SAVE %r13
	SAVE %r14
	SAVE %r15
	SAVE %rdi			/* gpr */
	CALLER_SAVED
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
.endm

.macro LOAD_GUEST_GPRS
	mov 0x08(%rdi), %rcx
	mov 0x10(%rdi), %rdx
	mov 0x18(%rdi), %rbx
	mov 0x28(%rdi), %rbp
	mov 0x30(%rdi), %rsi
	mov 0x40(%rdi), %r8
	mov 0x48(%rdi), %r9
	mov 0x50(%rdi), %r10
	mov 0x58(%rdi), %r11
	mov 0x60(%rdi), %r12
	mov 0x68(%rdi), %r13
	mov 0x70(%rdi), %r14
	mov 0x78(%rdi), %r15
	mov 0x00(%rdi), %rax
	mov 0x38(%rdi), %rdi
.endm

.Lfirst_row:
	.asciz "vt__vm_run_first"

FUNCTION vt__vm_run_first
	SAVE %rdi
	mov $.Lfirst_row, %edi
	call row			/* the C function: it names the processor too */
	RESTORE %rdi
	SAVE_CALLER
	mov $HOST_RIP, %eax
	mov $vm_exit, %ecx
	vmwrite %rcx, %rax
	LOAD_GUEST_GPRS
	vmlaunch
	jmp vm_entry_failed
END vt__vm_run_first

FUNCTION vt__vm_resume
	SAVE_CALLER
	LOAD_GUEST_GPRS
	vmresume
	jmp vm_entry_failed
END vt__vm_resume

FUNCTION vm_exit
	CALLER_SAVED
	SAVE %rdi
	mov 8(%rsp), %rdi
	mov %rax, 0x00(%rdi)
	mov %rcx, 0x08(%rdi)
	mov %rdx, 0x10(%rdi)
	mov %rbx, 0x18(%rdi)
	mov %rbp, 0x28(%rdi)
	mov %rsi, 0x30(%rdi)
	mov %r8, 0x40(%rdi)
	mov %r9, 0x48(%rdi)
	mov %r10, 0x50(%rdi)
	mov %r11, 0x58(%rdi)
	mov %r12, 0x60(%rdi)
	mov %r13, 0x68(%rdi)
	mov %r14, 0x70(%rdi)
	mov %r15, 0x78(%rdi)
	RESTORE %rax
	mov %rax, 0x38(%rdi)
	xor %eax, %eax
	jmp vm_run_return
END vm_exit

/* VMfailInvalid sets CF, VMfailValid ZF: 1 or 2 */
FUNCTION vm_entry_failed
	CALLER_SAVED
	mov $1, %eax
	jc vm_run_return
	mov $2, %eax
	jmp vm_run_return
END vm_entry_failed

FUNCTION vm_run_return
	CALLER_SAVED
	RESTORE %rdi
	RESTORE_CALLER %r15
	RESTORE_CALLER %r14
	RESTORE_CALLER %r13
	RESTORE_CALLER %r12
	RESTORE_CALLER %rbx
	RESTORE_CALLER %rbp
	ret
END vm_run_return
