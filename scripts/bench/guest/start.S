/*
 * Multiboot 1 entry (32-bit, no paging), also reached from rom.S: maps the first GiB to itself in 2 MiB pages open to CPL 3,
 * goes to 64-bit mode and calls main.
 */
	.set MAGIC, 0x1badb002

	.section .start, "ax"
	.code32
	.align 4
	.long MAGIC, 0, -MAGIC
	.globl start
start:
	cli
	lgdt gdt_pointer
	movl $stack_end, %esp
	movl $bss_start, %edi
	movl $bss_end, %ecx
	subl %edi, %ecx
	xorl %eax, %eax
	rep stosb
	movl $pdpt + 7, pml4
	movl $directory + 7, pdpt
	movl $512, %ecx
	movl $directory, %edi
	movl $0x87, %eax
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b
	movl $pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x620, %eax /* OSXMMEXCPT, OSFXSR, PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x101, %eax /* LME, SCE */
	wrmsr
	movl %cr0, %eax
	andl $~0x6000000c, %eax /* CD, NW, TS, EM */
	orl $0x80010023, %eax /* PG, WP, NE, MP, PE */
	movl %eax, %cr0
	ljmp $8, $1f
	.code64
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	call main
1:	hlt
	jmp 1b

	.data
	.align 8
	.globl gdt
gdt:	.quad 0
	.quad 0x00af9b000000ffff /* 08: code, CPL 0 */
	.quad 0x00cf93000000ffff /* 10: data */
	.quad 0x00cff3000000ffff /* 18: data, CPL 3; SYSRET wants it before the code */
	.quad 0x00affb000000ffff /* 20: code, CPL 3 */
	.word 0x67, 0            /* 28: TSS; its base is filled in by main */
	.byte 0, 0x89, 0, 0
	.quad 0
gdt_pointer:
	.word . - gdt - 1
	.quad gdt

	.bss
	.align 4096
	.globl pml4, pdpt, directory
pml4:	.skip 4096
pdpt:	.skip 4096
directory:
	.skip 4096
stack:	.skip 16384
stack_end:

	.section .note.GNU-stack, "", @progbits
