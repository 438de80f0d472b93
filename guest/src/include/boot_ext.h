/* What efi_main hands to `entry` besides the two UEFI arguments. */
#pragma once
#include "efi.h"

#define BOOT_EXT_MAGIC 0x45545845474d5856ull /* "VXMGEXTE": a sign that loader and VMM belong together */

struct boot_ext {
	u64 magic;
	EFI_FILE_PROTOCOL *file; /* the VMM's ELF file, positioned after the bytes already read */
};
