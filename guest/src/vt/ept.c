/* The guest's physical memory is the machine's: an identity map with the largest pages that have one memory type (SDM
   Vol. 3 section 29.3). The VMM's own memory is left out, so that the guest cannot reach it. 4 GiB are mapped at the
   start and further GiBs when the guest first touches them. */
#include "../include/boot_info.h"
#include "../include/cpu.h"
#include "../include/layout.h"
#include "../include/msr.h"
#include "../include/vt.h"

#define GIB 0x40000000ull
#define LARGE 0x200000ull
#define EPT_RWX 7
#define EPT_LARGE_PAGE BIT(7)
#define EPT_TYPE(t) ((u64)(t) << 3)
#define EPTP_WALK_4 (3 << 3)
#define EPTP_WRITE_BACK 6

/* SDM Vol. 3 Appendix A.10 */
#define CAP_WALK_4 BIT(6)
#define CAP_WRITE_BACK BIT(14)
#define CAP_2M BIT(16)
#define CAP_1G BIT(17)

#define NOT_MAPPED (-2)
#define MIXED (-1)

static u64 pml4[512] ALIGNED(4096);
static u64 pdpt[512] ALIGNED(4096);
static volatile u8 lock;

bool ept_usable(void)
{
	const u64 needed = CAP_WALK_4 | CAP_WRITE_BACK | CAP_2M;

	if (!(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS) >> 32 & PRIMARY_ACTIVATE_SECONDARY))
		return false;
	if (!(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2) >> 32 & SECONDARY_EPT))
		return false;
	return (rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & needed) == needed;
}

u64 ept_pointer(void)
{
	return virt_to_phys(pml4) | EPTP_WALK_4 | EPTP_WRITE_BACK;
}

static int type_of(u64 start, u64 size)
{
	const u64 vmm = boot_info.vmm_phys;

	if (start < vmm + VMM_SIZE && start + size > vmm)
		return start >= vmm && start + size <= vmm + VMM_SIZE ? NOT_MAPPED : MIXED;
	return mtrr_type_of(start, size);
}

static u64 table_of_4k(u64 start)
{
	u64 *pt = alloc_pages(1);

	for (u64 i = 0; i < 512; i++)
		pt[i] = (start + i * PAGE_SIZE) | EPT_TYPE(type_of(start + i * PAGE_SIZE, PAGE_SIZE)) | EPT_RWX;
	return virt_to_phys(pt) | EPT_RWX;
}

static u64 table_of_2m(u64 start)
{
	u64 *pd = alloc_pages(1);

	for (u64 i = 0; i < 512; i++) {
		const u64 at = start + i * LARGE;
		const int type = type_of(at, LARGE);

		if (type == MIXED)
			pd[i] = table_of_4k(at);
		else if (type != NOT_MAPPED)
			pd[i] = at | EPT_TYPE(type) | EPT_LARGE_PAGE | EPT_RWX;
	}
	return virt_to_phys(pd) | EPT_RWX;
}

static void map_gib(u64 start)
{
	const int type = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & CAP_1G ? type_of(start, GIB) : MIXED;

	pdpt[start / GIB] = type >= 0 ? start | EPT_TYPE(type) | EPT_LARGE_PAGE | EPT_RWX : table_of_2m(start);
}

void ept_build(void)
{
	pml4[0] = virt_to_phys(pdpt) | EPT_RWX;
	for (u64 gib = 0; gib < 4; gib++)
		map_gib(gib * GIB);
}

bool ept_map_on_demand(u64 guest_physical)
{
	const u64 width = cpuid(0x80000000, 0).eax >= 0x80000008 ? cpuid(0x80000008, 0).eax & 0xff : 36;
	const u64 gib = guest_physical / GIB;

	if (guest_physical >> width || gib >= ARRAY_SIZE(pdpt))
		return false;
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		cpu_pause();
	const bool new = !pdpt[gib];
	if (new)
		map_gib(gib * GIB);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	return new; /* no: the entry exists, so what the guest touched is the VMM's memory */
}
