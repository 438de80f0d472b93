/* The VMM's page tables, SDM Vol. 3 section 4.5. They lie in the VMM's own uninitialized data, so they are written
   through the physical alias before that data is mapped where it belongs.

   0x0000000000000000  the first GiB, identity: the physical alias of the early code, the APs' first code
   0x0000000040000000  VMM_SIZE bytes of VMM memory
   0xffff800000000000  physical memory up to 4 GiB */
#include "../include/early.h"

#define LARGE 0x200000ull
#define PTE_P BIT(0)
#define PTE_RW BIT(1)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_PS BIT(7)
#define GIBS 4
#define FINAL __attribute__((section(".bss.final_tables"))) /* past the 64 KiB of the second-stage loader */

FINAL static u64 pml4[512] ALIGNED(4096);
FINAL static u64 pdpt_low[512] ALIGNED(4096);
FINAL static u64 pdpt_alias[512] ALIGNED(4096);
FINAL static u64 pd_vmm[512] ALIGNED(4096);
FINAL static u64 pd_phys[GIBS][512] ALIGNED(4096);

u64 build_final_tables(u64 vmm_phys)
{
	const u64 to_phys = vmm_phys - VMM_BASE;
	u64 *const to_alias = phys_to_virt(to_phys); /* adding a table's linked address gives where it can be written now */
#define WRITE(table, index, value) (*(u64 *)((u64)to_alias + (u64)&(table)[index]) = (value))
#define POINTER(table) (((u64)(table) + to_phys) | PTE_P | PTE_RW)

	for (u32 gib = 0; gib < GIBS; gib++) {
		for (u64 i = 0; i < 512; i++) {
			const u64 phys = (gib * 512ull + i) * LARGE;
			const u64 uncached = phys == 0xfee00000 ? PTE_PCD | PTE_PWT : 0; /* the local APIC's registers */

			WRITE(pd_phys[gib], i, phys | uncached | PTE_PS | PTE_P | PTE_RW);
		}
		WRITE(pdpt_alias, gib, POINTER(pd_phys[gib]));
	}
	for (u64 i = 0; i < VMM_SIZE / LARGE; i++)
		WRITE(pd_vmm, i, (vmm_phys + i * LARGE) | PTE_PS | PTE_P | PTE_RW);
	WRITE(pdpt_low, 0, POINTER(pd_phys[0]));
	WRITE(pdpt_low, VMM_BASE >> 30, POINTER(pd_vmm));
	WRITE(pml4, 0, POINTER(pdpt_low));
	WRITE(pml4, 256, POINTER(pdpt_alias));
	return (u64)pml4 + to_phys;
}
