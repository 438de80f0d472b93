/* Memory from the end of the image to the end of the VMM's memory, handed out once. */
#include "../include/boot_info.h"
#include "../include/core.h"
#include "../include/layout.h"
#include "../include/string.h"

extern u8 vmm_image_end[];

static u64 next_page = (u64)vmm_image_end;

void *alloc_pages(u32 count)
{
	u8 *page = (u8 *)__atomic_fetch_add(&next_page, count * PAGE_SIZE, __ATOMIC_RELAXED);

	if ((u64)page + count * PAGE_SIZE > VMM_BASE + VMM_SIZE)
		panic("out of VMM memory\n");
	return memset(page, 0, count * PAGE_SIZE);
}

u64 virt_to_phys(const void *p)
{
	return (u64)p - VMM_BASE + boot_info.vmm_phys;
}
