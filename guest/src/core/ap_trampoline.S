/* An AP's first code, copied to a page below 1 MiB: CS:IP = page:0, real mode. It enters 64-bit mode with the VMM's
   page tables in one step (SDM Vol. 3 section 10.8.5) and goes to callmain64. */
#include "../include/asm.h"
#include "../include/layout.h"

	.text
	.globl ap_trampoline, ap_trampoline_end, ap_trampoline_cr3, ap_trampoline_far_pointer
	.globl ap_trampoline_gdtr, ap_trampoline_gdt, ap_trampoline_code64

	.balign 16
	.code16
FUNCTION ap_trampoline
	.cfi_undefined 16		/* rip, by its DWARF number: the name is not known in .code16 */
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl ap_trampoline_gdtr - ap_trampoline
	mov $0x620, %eax		/* CR4: PAE, OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov ap_trampoline_cr3 - ap_trampoline, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		/* IA32_EFER.LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov $0x80010031, %eax		/* CR0: PG, WP, NE, ET, PE */
	mov %eax, %cr0
	ljmpl *(ap_trampoline_far_pointer - ap_trampoline)

	.code64
ap_trampoline_code64:
	mov $callmain64, %eax
	jmp *%rax

	.balign 8
ap_trampoline_gdt:
	.quad 0
	.quad 0x00af9b000000ffff	/* code, 64-bit */
	.quad 0x00cf93000000ffff	/* data */
ap_trampoline_gdtr:
	.word ap_trampoline_gdtr - ap_trampoline_gdt - 1
	.long 0
ap_trampoline_cr3:
	.long 0
ap_trampoline_far_pointer:
	.long 0
	.word SEL_CODE64
ap_trampoline_end:
END ap_trampoline
