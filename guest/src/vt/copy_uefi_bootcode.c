/* Row 12, second half: places the guest's first code in the page below 1 MiB and points CS:RIP at it. */
#include "../include/boot_info.h"
#include "../include/cpu.h"
#include "../include/early.h"
#include "../include/string.h"
#include "../include/vt.h"

#define AR_REAL_MODE_CODE 0x9b

extern u8 uefi_bootcode16[], uefi_bootcode16_cr0[], uefi_bootcode16_far_pointer[], uefi_bootcode16_end[];
extern u8 uefi_bootcode64[], uefi_bootcode64_far_pointer[], uefi_bootcode64_end[];

static u8 *place(const u8 *code, const u8 *end, const u8 *far_pointer)
{
	u8 *page = phys_to_virt(boot_info.low_page), *pointer = page + (far_pointer - code);

	memcpy(page, code, (u64)(end - code));
	*(u32 *)pointer = (u32)uefi_entry_ret_addr; /* below 1 GiB: efi_main asked for it */
	*(u16 *)(pointer + 4) = firmware.cs;
	return page;
}

BOOT_ROW void copy_uefi_bootcode(void)
{
	ROW();
	if (current->unrestricted_guest) {
		u8 *page = place(uefi_bootcode16, uefi_bootcode16_end, uefi_bootcode16_far_pointer);

		*(u32 *)(page + (uefi_bootcode16_cr0 - uefi_bootcode16)) = (u32)firmware.cr0;
		guest_segment(SEG_CS, (u16)(boot_info.low_page >> 4), boot_info.low_page, 0xffff, AR_REAL_MODE_CODE);
		vmwrite(GUEST_RIP, 0);
	} else {
		place(uefi_bootcode64, uefi_bootcode64_end, uefi_bootcode64_far_pointer);
		vmwrite(GUEST_RIP, boot_info.low_page);
	}
}
