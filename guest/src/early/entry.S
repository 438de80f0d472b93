/* Rows 2, 3, 5, 6 and 16: the way from the firmware's world into the VMM's and, as a guest, back.
   Until uefi64_entry's far return the code runs at the physical address the firmware chose, so it addresses its own
   data relative to RIP; later it runs at the linked address. */
#include "../include/asm.h"
#include "../include/layout.h"

/* offsets in struct firmware_state, boot_info.h */
#define FW_RSP 0x00
#define FW_CR0 0x08
#define FW_CR3 0x10
#define FW_CR4 0x18
#define FW_EFER 0x20
#define FW_FS_BASE 0x28
#define FW_GS_BASE 0x30
#define FW_GDTR 0x38
#define FW_IDTR 0x42
#define FW_CS 0x4c
#define FW_SS 0x4e
#define FW_DS 0x50
#define FW_ES 0x52
#define FW_FS 0x54
#define FW_GS 0x56
#define FW_LDTR 0x58
#define FW_TR 0x5a

#define CR4_PGE_BIT 7
#define CR4_LA57_BIT 12
#define PTE_P_RW 3
#define PTE_ADDRESS 0x000ffffffffff000
#define EFI_UNSUPPORTED 0x8000000000000003

/* Loads CR3 from \value and drops global translations too: the firmware may have its own for VMM_BASE (SDM Vol. 3
   section 4.10.4.1: MOV to CR3 keeps global entries, changing CR4.PGE does not). Uses \scratch. */
.macro LOAD_CR3 value, scratch
	mov %cr4, \scratch
	btr $CR4_PGE_BIT, \scratch
	mov \scratch, %cr4
	mov \value, %cr3
	mov firmware + FW_CR4(%rip), \scratch
	mov \scratch, %cr4
.endm

/* From the linked address to the same code's physical address, which both page tables map. Uses \scratch. */
.macro GO_PHYSICAL scratch
	lea 773f(%rip), \scratch
	sub $IMAGE_BASE, \scratch
	add uefi_early_phys(%rip), \scratch
	jmp *\scratch
773:
.endm

/* At the physical address, in the VMM's tables: the firmware's CR3, GDT, segments and stack. Uses rax, r11. */
.macro FIRMWARE_WORLD
	mov firmware + FW_CR3(%rip), %rax
	LOAD_CR3 %rax, %r11
	lgdt firmware + FW_GDTR(%rip)
	mov firmware + FW_DS(%rip), %ds
	mov firmware + FW_ES(%rip), %es
	mov firmware + FW_SS(%rip), %ss
	mov firmware + FW_RSP(%rip), %rsp
	movzwl firmware + FW_CS(%rip), %eax
	push %rax
	lea 774f(%rip), %rax
	push %rax
	lretq
774:
.endm

/* At the physical address, in the firmware's world: the second-stage loader's tables, GDT and segments, at the linked
   address. The stack is still the firmware's and not mapped: set it next. Uses rax, r11. */
.macro EARLY_WORLD
	lea early_pml4(%rip), %rax
	LOAD_CR3 %rax, %r11
	lgdt vmm_gdtr(%rip)
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	lea early_far_pointer(%rip), %rax
	movl $775f, (%rax)
	ljmpl *(%rax)
775:
.endm

	.section .entry.text, "ax"

/* entry(image handle, system table, boot extensions), Microsoft calling convention, firmware's world */
FUNCTION entry
	ROW entry
	jmp uefi64_entry
END entry

FUNCTION uefi64_entry
	ROW uefi64_entry
	SAVE %rbx			/* what a called function preserves, UEFI 2.10 section 2.3.4.2 */
	SAVE %rbp
	SAVE %rsi
	SAVE %rdi
	SAVE %r12
	SAVE %r13
	SAVE %r14
	SAVE %r15
	pushfq
	.cfi_adjust_cfa_offset 8
	cli
	cld
	SAVE %r8			/* entry's arguments */
	SAVE %rdx
	SAVE %rcx
	mov %rcx, %r12
	mov %rdx, %r13
	mov %r8, %r14
	call uefi_entry_save_regs

	/* the four-level page tables: only these are understood */
	mov $EFI_UNSUPPORTED, %rax
	btq $CR4_LA57_BIT, firmware + FW_CR4(%rip)
	jc uefi_entry_ret_status

	/* early_pml4[0] -> early_pdpt: [0] the firmware's own first GiB, [1] -> early_pd[0] -> early_pt, where entries
	   0x100-0x10f map these 64 KiB at IMAGE_BASE. early_pml4[256] = the firmware's entry 0: PHYS_ALIAS. */
	mov $PTE_ADDRESS, %rbx
	lea early_pml4(%rip), %rdi
	lea early_pdpt + PTE_P_RW(%rip), %rax
	mov %rax, (%rdi)
	mov firmware + FW_CR3(%rip), %rsi
	and %rbx, %rsi
	mov (%rsi), %rsi
	mov %rsi, 256 * 8(%rdi)
	and %rbx, %rsi
	mov (%rsi), %rax
	lea early_pdpt(%rip), %rdi
	mov %rax, (%rdi)
	lea early_pd + PTE_P_RW(%rip), %rax
	mov %rax, 8(%rdi)
	lea early_pt + PTE_P_RW(%rip), %rax
	mov %rax, early_pd(%rip)
	lea early_pt + IMAGE_OFFSET / 0x1000 * 8(%rip), %rdi
	mov uefi_early_phys(%rip), %rax
	or $PTE_P_RW, %rax
	mov $EARLY_SIZE / 0x1000, %ecx
1:	mov %rax, (%rdi)
	add $0x1000, %rax
	add $8, %rdi
	loop 1b

	.cfi_remember_state
	.cfi_undefined rip		/* a backtrace ends here: the firmware's stack is no longer mapped */
	EARLY_WORLD
	mov $early_stack_top, %esp
	mov %r12, %rdi
	mov %r13, %rsi
	mov %r14, %rdx
	call uefi_init

	/* uefi_init returns only when it gives up: %rax is an EFI_STATUS, and nothing has happened */
	mov %rax, %rbx
	GO_PHYSICAL %rax
	FIRMWARE_WORLD
	mov %rbx, %rax
	.cfi_restore_state
	jmp uefi_entry_ret_status
END uefi64_entry

/* Saves what the guest starts with, and the two addresses that say where this code is. */
FUNCTION uefi_entry_save_regs
	ROW uefi_entry_save_regs
	SAVE %rcx
	SAVE %rdx
	lea 24(%rsp), %rax		/* rsp of the caller: two pushes and the return address */
	mov %rax, firmware + FW_RSP(%rip)
	mov %cr0, %rax
	mov %rax, firmware + FW_CR0(%rip)
	mov %cr3, %rax
	mov %rax, firmware + FW_CR3(%rip)
	mov %cr4, %rax
	mov %rax, firmware + FW_CR4(%rip)
	mov $0xc0000080, %ecx		/* IA32_EFER */
	rdmsr
	mov %eax, firmware + FW_EFER(%rip)
	mov %edx, firmware + FW_EFER + 4(%rip)
	mov $0xc0000100, %ecx		/* IA32_FS_BASE */
	rdmsr
	mov %eax, firmware + FW_FS_BASE(%rip)
	mov %edx, firmware + FW_FS_BASE + 4(%rip)
	mov $0xc0000101, %ecx		/* IA32_GS_BASE */
	rdmsr
	mov %eax, firmware + FW_GS_BASE(%rip)
	mov %edx, firmware + FW_GS_BASE + 4(%rip)
	sgdt firmware + FW_GDTR(%rip)
	sidt firmware + FW_IDTR(%rip)
	mov %cs, firmware + FW_CS(%rip)
	mov %ss, firmware + FW_SS(%rip)
	mov %ds, firmware + FW_DS(%rip)
	mov %es, firmware + FW_ES(%rip)
	mov %fs, firmware + FW_FS(%rip)
	mov %gs, firmware + FW_GS(%rip)
	sldt firmware + FW_LDTR(%rip)
	str firmware + FW_TR(%rip)
	lea uefi_entry_ret(%rip), %rax
	mov %rax, uefi_entry_ret_addr(%rip)
	sub $uefi_entry_ret - IMAGE_BASE, %rax
	mov %rax, uefi_early_phys(%rip)
	RESTORE %rdx
	RESTORE %rcx
	ret
END uefi_entry_save_regs

/* u64 uefi_call(function, a1, a2, a3, a4, a5): a firmware service, called from the second-stage loader. Pointers are
   physical addresses. Only here are interrupts enabled: the firmware's timer tick must go on. */
FUNCTION uefi_call
	SAVE %rbx
	SAVE %rbp
	SAVE %r12
	SAVE %r13
	SAVE %r14
	SAVE %r15
	mov %rsp, %rbp			/* callee-saved in both conventions */
	.cfi_def_cfa_register rbp
	mov %rdi, %rbx
	mov %rsi, %r12			/* a1..a5 wait where switching worlds does not reach */
	mov %rdx, %r13
	mov %rcx, %r14
	mov %r8, %r15
	mov %r9, %rsi
	GO_PHYSICAL %rax
	FIRMWARE_WORLD
	and $-16, %rsp			/* Microsoft: aligned, 32 bytes of home space, then the fifth argument */
	sub $48, %rsp
	mov %rsi, 32(%rsp)
	mov %r12, %rcx
	mov %r13, %rdx
	mov %r14, %r8
	mov %r15, %r9
	sti
	call *%rbx
	cli
	mov %rax, %rbx
	EARLY_WORLD
	mov %rbp, %rsp
	.cfi_def_cfa_register rsp
	mov %rbx, %rax
	RESTORE %r15
	RESTORE %r14
	RESTORE %r13
	RESTORE %r12
	RESTORE %rbp
	RESTORE %rbx
	ret
END uefi_call

/* uefi_entry_start(final CR3): the last step of the second-stage loader. The VMM's pages at VMM_BASE change from the
   place of the first 64 KiB to the final memory, so the switch is made at the physical alias. */
FUNCTION uefi_entry_start
	ROW uefi_entry_start
	GO_PHYSICAL %rax
	LOAD_CR3 %rdi, %rax
	lgdt vmm_gdtr(%rip)
	ljmpl *callmain64_far_pointer(%rip)
END uefi_entry_start

/* Every processor comes here in 64-bit mode with the final page tables, no stack, interrupts off. The first one is
   the BSP; the others take one of the stacks the BSP has prepared. */
FUNCTION callmain64
	.cfi_undefined rip
	lgdt vmm_gdtr(%rip)
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	inc %eax
	lock xadd %eax, processors_arrived(%rip)
	test %eax, %eax
	jnz 1f
	mov $bsp_stack_top, %esp
	ROW callmain64
	call vmm_main
	hlt
1:	cmp ap_stacks_ready(%rip), %eax
	ja 2f
	mov ap_stack_tops(, %rax, 8), %rsp
	mov %eax, %edi
	call apinitproc0
2:	cli				/* more processors than stacks: park this one */
	hlt
	jmp 2b
END callmain64

/* The guest's first instructions beyond the bootcode: the call that efi_main made comes back, in VMX non-root. */
FUNCTION uefi_entry_ret
	.cfi_undefined rip		/* no stack yet */
	mov firmware + FW_SS(%rip), %ss
	mov firmware + FW_RSP(%rip), %rsp
	.cfi_def_cfa_offset 0x68	/* the stack as uefi64_entry left it: 12 pushes and the return address */
	.cfi_restore rip
	.cfi_offset rbx, -16
	.cfi_offset rbp, -24
	.cfi_offset rsi, -32
	.cfi_offset rdi, -40
	.cfi_offset r12, -48
	.cfi_offset r13, -56
	.cfi_offset r14, -64
	.cfi_offset r15, -72
	ROW uefi_entry_ret
	mov firmware + FW_DS(%rip), %ds
	mov firmware + FW_ES(%rip), %es
	mov firmware + FW_FS(%rip), %fs
	mov firmware + FW_GS(%rip), %gs
	mov $0xc0000100, %ecx		/* the selectors loaded 32-bit bases */
	mov firmware + FW_FS_BASE(%rip), %eax
	mov firmware + FW_FS_BASE + 4(%rip), %edx
	wrmsr
	mov $0xc0000101, %ecx
	mov firmware + FW_GS_BASE(%rip), %eax
	mov firmware + FW_GS_BASE + 4(%rip), %edx
	wrmsr
	xor %eax, %eax			/* EFI_SUCCESS */
uefi_entry_ret_status:
	add $24, %rsp			/* entry's arguments */
	.cfi_adjust_cfa_offset -24
	popfq
	.cfi_adjust_cfa_offset -8
	RESTORE_CALLER %r15
	RESTORE_CALLER %r14
	RESTORE_CALLER %r13
	RESTORE_CALLER %r12
	RESTORE_CALLER %rdi
	RESTORE_CALLER %rsi
	RESTORE_CALLER %rbp
	RESTORE_CALLER %rbx
	ret
END uefi_entry_ret

	.section .entry.data, "aw"

	.balign 16
	.globl firmware, uefi_entry_ret_addr, uefi_early_phys, processors_arrived, vmm_gdtr
	.type firmware, @object
firmware:
	.skip 0x60
	.size firmware, . - firmware
	.type uefi_entry_ret_addr, @object
uefi_entry_ret_addr:
	.quad 0
	.size uefi_entry_ret_addr, 8
	.type uefi_early_phys, @object
uefi_early_phys:
	.quad 0
	.size uefi_early_phys, 8
	.type processors_arrived, @object
processors_arrived:
	.long 0
	.size processors_arrived, 4
	.balign 8
early_far_pointer:			/* m16:32 operand: offset, selector */
	.long 0
	.word SEL_CODE64
	.balign 8
callmain64_far_pointer:
	.long callmain64
	.word SEL_CODE64
	.balign 8
vmm_gdt:				/* SDM Vol. 3 section 3.4.5; each processor's own copy gets a TSS later */
	.quad 0
	.quad 0x00af9b000000ffff	/* code, 64-bit */
	.quad 0x00cf93000000ffff	/* data */
	.word 0, 0, 0
vmm_gdtr:
	.word vmm_gdtr - 6 - vmm_gdt - 1
	.quad vmm_gdt

	.section .entry.pages, "aw"
	.balign 0x1000
early_pml4:
	.skip 0x1000
early_pdpt:
	.skip 0x1000
early_pd:
	.skip 0x1000
early_pt:
	.skip 0x1000
early_stack:
	.skip 0x2000
early_stack_top:

	.bss
	.balign 16
bsp_stack:
	.skip 0x4000
bsp_stack_top:
