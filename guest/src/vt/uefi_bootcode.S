/* The guest's first instructions, copied to the page below 1 MiB and patched there: to the firmware's mode, then to
   uefi_entry_ret. */
#include "../include/asm.h"

	.text
	.globl uefi_bootcode16, uefi_bootcode16_cr0, uefi_bootcode16_far_pointer, uefi_bootcode16_end
	.globl uefi_bootcode64, uefi_bootcode64_far_pointer, uefi_bootcode64_end

/* Real mode, with CR3, CR4 and EFER.LME set: setting PE and PG together enters IA-32e mode (compatibility), the far jump
   through the firmware's GDT 64-bit mode (SDM Vol. 3 section 10.8.5). */
	.code16
FUNCTION uefi_bootcode16
	.byte 0x66, 0xb8		/* mov $imm32, %eax */
uefi_bootcode16_cr0:
	.long 0
	mov %eax, %cr0
	.byte 0x66, 0xea		/* ljmpl $selector, $offset */
uefi_bootcode16_far_pointer:
	.long 0
	.word 0
uefi_bootcode16_end:
END uefi_bootcode16

/* Long mode, the firmware's page tables and CS: only the jump. */
	.code64
FUNCTION uefi_bootcode64
	ljmpl *uefi_bootcode64_far_pointer(%rip)
uefi_bootcode64_far_pointer:
	.long 0
	.word 0
uefi_bootcode64_end:
END uefi_bootcode64
