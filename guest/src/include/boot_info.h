/* What the second-stage loader learns and the VMM proper needs. It lives in the early data, which uefi_init copies
   to the final place together with the code. Offsets are used by assembly: keep them in step with asm-offsets below. */
#pragma once
#include "cpu.h"
#include "types.h"

/* The firmware's state, saved by uefi_entry_save_regs: the guest starts with it. */
struct firmware_state {
	u64 rsp;	 /* 0x00: just above it, what uefi64_entry pushed */
	u64 cr0;	 /* 0x08 */
	u64 cr3;	 /* 0x10 */
	u64 cr4;	 /* 0x18 */
	u64 efer;	 /* 0x20 */
	u64 fs_base;	 /* 0x28 */
	u64 gs_base;	 /* 0x30 */
	struct dtr gdtr; /* 0x38, 10 bytes */
	struct dtr idtr; /* 0x42, 10 bytes */
	u16 cs;		 /* 0x4c */
	u16 ss;		 /* 0x4e */
	u16 ds;		 /* 0x50 */
	u16 es;		 /* 0x52 */
	u16 fs;		 /* 0x54 */
	u16 gs;		 /* 0x56 */
	u16 ldtr;	 /* 0x58 */
	u16 tr;		 /* 0x5a */
} PACKED;

#define FW_OFFSET_CHECK(member, offset) _Static_assert(__builtin_offsetof(struct firmware_state, member) == offset, #member)
FW_OFFSET_CHECK(gs_base, 0x30);
FW_OFFSET_CHECK(idtr, 0x42);
FW_OFFSET_CHECK(tr, 0x5a);

struct boot_info {
	u64 vmm_phys;	      /* physical address of VMM_BASE */
	u64 low_page;	      /* a page below 1 MiB: APs' first code, then the guest's first code */
	u64 final_cr3;	      /* physical address of the VMM's page tables */
	u32 madt_cpus;	      /* enabled processors in the ACPI MADT; 0: no MADT found */
};

extern struct firmware_state firmware; /* entry.S */
extern u64 uefi_entry_ret_addr;	       /* entry.S: physical address of uefi_entry_ret */
extern u64 uefi_early_phys;	       /* entry.S: physical address of IMAGE_BASE while in the second-stage loader */
extern struct boot_info boot_info;     /* uefi_init.c */
