/* Functions of the second-stage loader. */
#pragma once
#include "boot_ext.h"
#include "boot_info.h"
#include "layout.h"

/* entry.S */
u64 uefi_call(u64 function, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
void uefi_entry_start(u64 final_cr3) NORETURN;

EFI_STATUS uefi_init(EFI_HANDLE image, u64 system_table, u64 boot_ext);
EFI_STATUS vmx_available(void);				 /* vmx_available.c */
u32 acpi_madt_cpus(const EFI_SYSTEM_TABLE *system_table); /* acpi_madt.c */
u64 build_final_tables(u64 vmm_phys);			 /* final_tables.c */

static inline void *phys_to_virt(u64 phys) { return (void *)(phys + PHYS_ALIAS); }
