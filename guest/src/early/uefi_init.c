/* Row 4: takes the VMM's memory from the firmware, loads the rest of the VMM into it and leaves for it. Runs at the
   linked address inside the first 64 KiB; whatever it finds out goes to boot_info, which is copied along. */
#include "../include/early.h"
#include "../include/row.h"
#include "../include/string.h"

#define MIB 0x100000ull

struct elf64_program_header { /* ELF-64 Object File Format, version 1.5, section 6; the first one, at file offset 0x40 */
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

struct boot_info boot_info = { 0 };

static const EFI_BOOT_SERVICES *boot_services;
static u64 io_size, io_memory; /* arguments the firmware writes: static, so that their physical address is known */

static u64 early_phys(const void *p)
{
	return (u64)p - IMAGE_BASE + uefi_early_phys;
}

static EFI_STATUS allocate(u32 memory_type, u64 max_address, u64 size, u64 *phys)
{
	EFI_STATUS status;

	io_memory = max_address;
	status = uefi_call((u64)boot_services->AllocatePages, AllocateMaxAddress, memory_type, size / PAGE_SIZE, early_phys(&io_memory), 0);
	*phys = io_memory;
	return status;
}

static void release(u64 phys, u64 size)
{
	if (size)
		uefi_call((u64)boot_services->FreePages, phys, size / PAGE_SIZE, 0, 0, 0);
}

/* VMM_SIZE bytes, aligned to 2 MiB so that large pages map them; what alignment wastes goes back. */
static EFI_STATUS allocate_vmm(u64 *phys)
{
	u64 start, aligned;
	EFI_STATUS status = allocate(EfiUnusableMemory, 0xffffffff, VMM_SIZE + 2 * MIB, &start);

	if (EFI_ERROR(status))
		return status;
	aligned = (start + 2 * MIB - 1) & ~(2 * MIB - 1);
	release(start, aligned - start);
	release(aligned + VMM_SIZE, start + 2 * MIB - aligned);
	*phys = aligned;
	return EFI_SUCCESS;
}

/* The bytes of the file after the first 64 KiB; the uninitialized data after them becomes zero. */
static EFI_STATUS load_rest(u64 boot_ext, u64 image_phys)
{
	const struct elf64_program_header *segment = (const void *)(u64)(IMAGE_BASE + 0x40);
	const struct boot_ext *ext = phys_to_virt(boot_ext);
	const EFI_FILE_PROTOCOL *file = phys_to_virt((u64)ext->file);
	const u64 file_end = segment->offset + segment->filesz, memory_end = segment->offset + segment->memsz;
	EFI_STATUS status;

	if (ext->magic != BOOT_EXT_MAGIC || segment->vaddr - segment->offset != IMAGE_BASE || memory_end > VMM_SIZE - IMAGE_OFFSET)
		return EFI_LOAD_ERROR;
	status = uefi_call((u64)file->SetPosition, (u64)ext->file, EARLY_SIZE, 0, 0, 0);
	if (EFI_ERROR(status))
		return status;
	io_size = file_end - EARLY_SIZE;
	status = uefi_call((u64)file->Read, (u64)ext->file, early_phys(&io_size), image_phys + EARLY_SIZE, 0, 0);
	if (!EFI_ERROR(status) && io_size != file_end - EARLY_SIZE)
		status = EFI_LOAD_ERROR;
	memset(phys_to_virt(image_phys + file_end), 0, memory_end - file_end);
	return status;
}

BOOT_ROW EFI_STATUS uefi_init(EFI_HANDLE image, u64 system_table, u64 boot_ext)
{
	const EFI_SYSTEM_TABLE *systab = phys_to_virt(system_table);
	EFI_STATUS status;

	(void)image;
	ROW();
	kprintf("vmxguest: second-stage loader at 0x%08llx\n", uefi_early_phys);
	status = vmx_available();
	if (EFI_ERROR(status))
		return status;
	boot_services = phys_to_virt((u64)systab->boot_services);
	status = allocate(EfiUnusableMemory, 0xfffff, PAGE_SIZE, &boot_info.low_page);
	if (EFI_ERROR(status))
		return status;
	status = allocate_vmm(&boot_info.vmm_phys);
	if (EFI_ERROR(status)) {
		release(boot_info.low_page, PAGE_SIZE);
		return status;
	}
	status = load_rest(boot_ext, boot_info.vmm_phys + IMAGE_OFFSET);
	if (EFI_ERROR(status)) {
		release(boot_info.low_page, PAGE_SIZE);
		release(boot_info.vmm_phys, VMM_SIZE);
		return status;
	}
	boot_info.madt_cpus = acpi_madt_cpus(systab);
	boot_info.final_cr3 = build_final_tables(boot_info.vmm_phys);
	kprintf("vmxguest: VMM memory 0x%08llx-0x%08llx\n", boot_info.vmm_phys, boot_info.vmm_phys + VMM_SIZE - 1);

	/* Last: from now on the two copies differ, and only the one in the VMM's memory is used. */
	memcpy(phys_to_virt(boot_info.vmm_phys + IMAGE_OFFSET), (const void *)(u64)IMAGE_BASE, EARLY_SIZE);
	uefi_entry_start(boot_info.final_cr3);
}
