/* Linker script (run through the C preprocessor). File offset = virtual address - IMAGE_BASE throughout, one segment.
   The first 64 KiB of the file are the second-stage loader: the objects early-*.o, made from early/. */
#include "include/layout.h"

OUTPUT_FORMAT(elf64-x86-64)
OUTPUT_ARCH(i386:x86-64)
ENTRY(entry)

PHDRS
{
	image PT_LOAD FLAGS(7);
}

SECTIONS
{
	. = IMAGE_BASE + 0x1000;
	.entry.text : AT(ADDR(.entry.text) - VMM_BASE) { *(.entry.text) early-*.o(.text .text.*) } :image
	.entry.data : AT(ADDR(.entry.data) - VMM_BASE) { early-*.o(.rodata .rodata.*) *(.entry.data) early-*.o(.data .bss) } :image
	.entry.pages ALIGN(0x1000) : AT(ADDR(.entry.pages) - VMM_BASE)
	{
		*(.entry.pages)
		ASSERT(. <= IMAGE_BASE + EARLY_SIZE, "the second-stage loader does not fit in its 64 KiB");
	} :image

	. = IMAGE_BASE + EARLY_SIZE;
	.text : AT(ADDR(.text) - VMM_BASE) { *(.text .text.*) } :image
	.rodata ALIGN(64) : AT(ADDR(.rodata) - VMM_BASE)
	{
		*(.rodata .rodata.*)
		. = ALIGN(8);
		initfuncs = .;
		KEEP(*(SORT(.initfunc.*)))
		initfuncs_end = .;
	} :image
	.data ALIGN(64) : AT(ADDR(.data) - VMM_BASE) { *(.data .data.*) } :image
	.bss ALIGN(64) (NOLOAD) : AT(ADDR(.bss) - VMM_BASE) { *(.bss .bss.* COMMON) . = ALIGN(0x1000); } :image
	vmm_image_end = .;
	ASSERT(. <= VMM_BASE + VMM_SIZE - 0x100000, "too little heap left")

	/DISCARD/ : { *(.note.* .comment .eh_frame) }
}
