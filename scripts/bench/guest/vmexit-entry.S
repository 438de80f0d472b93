	.text
	.globl vm_run, vm_exit, vm_guest

/* Takes edi exits. General registers are saved and loaded around the guest, as a hypervisor does. */
vm_run:	movq %rdi, exits_left
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movl $0x6c14, %eax /* HOST_RSP */
	vmwrite %rsp, %rax
	cmpb $0, launched
	jne vm_resume
	movb $1, launched
	vmlaunch
	jmp failed

vm_exit:
	movq %rax, registers
	movq %rbx, registers + 8
	movq %rcx, registers + 16
	movq %rdx, registers + 24
	movq %rsi, registers + 32
	movq %rdi, registers + 40
	movq %rbp, registers + 48
	movq %r8, registers + 56
	movq %r9, registers + 64
	movq %r10, registers + 72
	movq %r11, registers + 80
	movq %r12, registers + 88
	movq %r13, registers + 96
	movq %r14, registers + 104
	movq %r15, registers + 112
	movl $0x4402, %eax /* reason */
	vmread %rax, %rbx
	cmpl $10, %ebx
	jne failed
	movl $0x440c, %eax /* instruction length */
	vmread %rax, %rcx
	movl $0x681e, %eax /* RIP */
	vmread %rax, %rdx
	addq %rcx, %rdx
	vmwrite %rdx, %rax
	decq exits_left
	jnz vm_resume
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
vm_resume:
	movq registers, %rax
	movq registers + 8, %rbx
	movq registers + 16, %rcx
	movq registers + 24, %rdx
	movq registers + 32, %rsi
	movq registers + 40, %rdi
	movq registers + 48, %rbp
	movq registers + 56, %r8
	movq registers + 64, %r9
	movq registers + 72, %r10
	movq registers + 80, %r11
	movq registers + 88, %r12
	movq registers + 96, %r13
	movq registers + 104, %r14
	movq registers + 112, %r15
	vmresume
failed:	movl $'F', %eax
	movl $0x3f8, %edx
	outb %al, %dx
1:	hlt
	jmp 1b

vm_guest:
	xorl %eax, %eax
	cpuid
	jmp vm_guest

	.bss
	.align 8
exits_left:
	.quad 0
registers:
	.skip 120
launched:
	.byte 0

	.section .note.GNU-stack, "", @progbits
