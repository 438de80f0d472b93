/* Where things are. Shared by C, assembly and the linker script. */
#pragma once

#define VMM_BASE 0x40000000      /* first virtual address of the VMM; BitVisor's range too */
#define VMM_SIZE 0x400000        /* memory taken from the firmware: two 2 MiB pages */
#define IMAGE_BASE 0x40100000    /* virtual address of byte 0 of the ELF file */
#define IMAGE_OFFSET (IMAGE_BASE - VMM_BASE)
#define EARLY_SIZE 0x10000       /* the second-stage loader: the bytes efi_main reads */

/* While the VMM runs, physical memory is also mapped here (PML4 entry 256): firmware data, ACPI tables and the local
   APIC stay reachable without colliding with VMM_BASE. */
#define PHYS_ALIAS 0xffff800000000000

/* Selectors of every GDT of the VMM. */
#define SEL_CODE64 0x08
#define SEL_DATA 0x10
#define SEL_TSS 0x18
