/* The guest as firmware, for emulators that load no ELF file by themselves: from the reset vector to 32-bit mode, a copy to
   1 MiB, the multiboot entry. SDM Vol. 3, 9.1.4. */
	.section .rom, "ax"
	.code32
image:	.incbin "guest.bin"
image_end:
copy:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $image, %esi
	movl $0x100000, %edi
	movl $image_end - image, %ecx
	rep movsb
	movl $ENTRY, %ecx
	jmp *%ecx
	.align 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.globl gdt_pointer
gdt_pointer:
	.word . - gdt - 1
	.long gdt

	.section .vector, "ax"
	.code16
real:	lgdtl %cs:gdt_pointer_low
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $copy
	.org 0x30
	jmp real
	.org 0x40

	.section .note.GNU-stack, "", @progbits
