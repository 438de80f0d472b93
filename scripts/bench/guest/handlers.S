	.text
	.globl on_interrupt, on_ud, on_pf, on_leave, on_syscall, user_interrupts, user_syscalls

on_interrupt:
	iretq

on_ud:	addq $2, (%rsp)
	iretq

on_pf:	pushq %rax
	movq %cr2, %rax
	movq fault_entry, %rax
	orq $1, (%rax)
	popq %rax
	addq $8, %rsp /* the error code */
	iretq

/* To CPL 3 at rax, with the stack it has; on_leave comes back. */
to_user:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, kernel_stack
	movq %rsp, %rdx
	pushq $0x1b
	pushq %rdx
	pushq $2
	pushq $0x23
	pushq %rax
	iretq
on_leave:
	movq kernel_stack, %rsp
	movl $0x10, %eax
	movl %eax, %ss
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

user_interrupts:
	leaq 1f(%rip), %rax
	jmp to_user
1:	int $0x80
	decq %rdi
	jnz 1b
	int $0x81

user_syscalls:
	leaq 1f(%rip), %rax
	jmp to_user
1:	syscall
	decq %rdi
	jnz 1b
	int $0x81
on_syscall:
	sysretq

	.bss
	.globl fault_entry
	.align 8
fault_entry:
	.quad 0
kernel_stack:
	.quad 0

	.section .note.GNU-stack, "", @progbits
