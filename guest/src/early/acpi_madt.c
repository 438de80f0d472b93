/* How many processors there are to wait for: waiting without knowing costs time on a machine with one. */
#include "../include/early.h"
#include "../include/string.h"

struct acpi_rsdp { /* ACPI 6.5 section 5.2.5.3 */
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
} PACKED;

struct acpi_header { /* ACPI 6.5 section 5.2.6 */
	char signature[4];
	u32 length;
	u8 rest[28];
} PACKED;

#define MADT_FIRST_ENTRY 44 /* ACPI 6.5 section 5.2.12: header, local APIC address, flags */
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_X2APIC 9
#define MADT_ENABLED 1

static u32 count(const struct acpi_header *madt)
{
	const u8 *table = (const u8 *)madt;
	u32 cpus = 0;

	for (u32 at = MADT_FIRST_ENTRY; at + 2 <= madt->length && table[at + 1] >= 2; at += table[at + 1]) {
		if (table[at] == MADT_LOCAL_APIC && (table[at + 4] & MADT_ENABLED))
			cpus++;
		if (table[at] == MADT_LOCAL_X2APIC && (table[at + 8] & MADT_ENABLED))
			cpus++;
	}
	return cpus;
}

static u32 count_in_root_table(u64 root_phys, u32 pointer_size)
{
	const struct acpi_header *root = phys_to_virt(root_phys);

	for (u32 at = sizeof *root; at + pointer_size <= root->length; at += pointer_size) {
		const struct acpi_header *table;
		u64 phys = 0;

		memcpy(&phys, (const u8 *)root + at, pointer_size);
		table = phys_to_virt(phys);
		if (phys && !memcmp(table->signature, "APIC", 4))
			return count(table);
	}
	return 0;
}

u32 acpi_madt_cpus(const EFI_SYSTEM_TABLE *system_table)
{
	static const EFI_GUID acpi_guids[] = { EFI_ACPI_20_TABLE_GUID, EFI_ACPI_10_TABLE_GUID };
	const EFI_CONFIGURATION_TABLE *entries = phys_to_virt((u64)system_table->configuration_table);

	for (u32 version = 0; version < ARRAY_SIZE(acpi_guids); version++) {
		for (u64 i = 0; i < system_table->number_of_table_entries; i++) {
			const struct acpi_rsdp *rsdp = phys_to_virt((u64)entries[i].vendor_table);

			if (memcmp(&entries[i].vendor_guid, &acpi_guids[version], sizeof(EFI_GUID)))
				continue;
			if (rsdp->revision >= 2 && rsdp->xsdt)
				return count_in_root_table(rsdp->xsdt, 8);
			return count_in_root_table(rsdp->rsdt, 4);
		}
	}
	return 0;
}
