/* Row 1: the UEFI application. It places the first 64 KiB of the VMM's ELF file below 1 GiB and jumps to `entry` in it.
   The call returns after the machine has become a guest of the VMM: everything below the call runs in VMX non-root. */
#include "../include/boot_ext.h"
#include "../include/layout.h"
#include "../include/row_port.h"
#include "../include/vmcall.h"

typedef EFI_STATUS(EFIAPI *entry_function)(EFI_HANDLE, EFI_SYSTEM_TABLE *, struct boot_ext *);

struct elf64_header { /* ELF-64 Object File Format, version 1.5, section 3 */
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry;
};

static EFI_SYSTEM_TABLE *systab;

/* Pointers in data give the image base relocations: firmware may then load it anywhere (PE/COFF, section 5.6). */
static const CHAR16 *const volatile outcome[] = {
	u"vmxguest: the VMM does not answer VMCALL\r\n",
	u"vmxguest: the firmware now runs in VMX non-root\r\n",
};

static void print(const CHAR16 *text)
{
	systab->con_out->OutputString(systab->con_out, text);
}

static EFI_STATUS fail(const CHAR16 *what, EFI_STATUS status)
{
	print(u"vmxguest: ");
	print(what);
	print(u" failed\r\n");
	return status;
}

/* "\EFI\BOOT\BOOTX64.EFI" -> "\EFI\BOOT\vmxguest.elf". LoadedImage->FilePath is a list of file path nodes
   (UEFI 2.10 section 10.3.5.4: type 4, subtype 4) whose texts follow each other. */
static void path_next_to_image(const void *file_path, CHAR16 *out, u64 out_chars)
{
	static const CHAR16 name[] = u"vmxguest.elf";
	const u64 room = out_chars - sizeof name / sizeof name[0];
	const u8 *node = file_path;
	u64 n = 0, after_last_slash = 0;

	while (node && node[0] == 4 && node[1] == 4) {
		const u64 length = node[2] | (u64)node[3] << 8;

		if (n > 0 && out[n - 1] != u'\\' && n < room)
			out[n++] = u'\\';
		for (u64 i = 4; i + 1 < length && n < room; i += 2) {
			const CHAR16 c = (CHAR16)(node[i] | node[i + 1] << 8);

			if (c == 0)
				break;
			out[n++] = c;
		}
		node += length;
	}
	for (u64 i = 0; i < n; i++)
		if (out[i] == u'\\')
			after_last_slash = i + 1;
	if (after_last_slash == 0)
		out[after_last_slash++] = u'\\';
	for (u64 i = 0; i < sizeof name / sizeof name[0]; i++)
		out[after_last_slash + i] = name[i];
}

static EFI_STATUS open_vmm(EFI_HANDLE image, EFI_FILE_PROTOCOL **file)
{
	static const EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	static const EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_LOADED_IMAGE_PROTOCOL *loaded_image;
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *file_system;
	EFI_FILE_PROTOCOL *root;
	CHAR16 path[256];
	EFI_STATUS status;

	status = systab->boot_services->HandleProtocol(image, &loaded_image_guid, (void **)&loaded_image);
	if (EFI_ERROR(status))
		return fail(u"HandleProtocol(LoadedImage)", status);
	status = systab->boot_services->HandleProtocol(loaded_image->device_handle, &file_system_guid, (void **)&file_system);
	if (EFI_ERROR(status))
		return fail(u"HandleProtocol(SimpleFileSystem)", status);
	status = file_system->OpenVolume(file_system, &root);
	if (EFI_ERROR(status))
		return fail(u"OpenVolume", status);
	path_next_to_image(loaded_image->file_path, path, sizeof path / sizeof path[0]);
	status = root->Open(root, file, path, EFI_FILE_MODE_READ, 0);
	root->Close(root);
	if (EFI_ERROR(status))
		return fail(u"opening vmxguest.elf", status);
	return EFI_SUCCESS;
}

BOOT_ROW EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
	struct boot_ext ext = { BOOT_EXT_MAGIC, NULL };
	u64 load_address = VMM_BASE, size = EARLY_SIZE;
	const struct elf64_header *elf;
	EFI_STATUS status;

	systab = system_table;
	row_port_line("efi_main");
	status = open_vmm(image, &ext.file);
	if (EFI_ERROR(status))
		return status;

	/* With AllocateMaxAddress the firmware finds the place; the second-stage loader runs wherever it is. */
	status = systab->boot_services->AllocatePages(AllocateMaxAddress, EfiLoaderCode, EARLY_SIZE / PAGE_SIZE, &load_address);
	if (EFI_ERROR(status)) {
		ext.file->Close(ext.file);
		return fail(u"AllocatePages", status);
	}
	status = ext.file->Read(ext.file, &size, (void *)load_address);
	elf = (const void *)load_address;
	if (!EFI_ERROR(status) && (size != EARLY_SIZE || elf->ident[0] != 0x7f || elf->ident[1] != 'E' || elf->entry - IMAGE_BASE >= EARLY_SIZE))
		status = EFI_LOAD_ERROR;
	if (EFI_ERROR(status))
		status = fail(u"reading vmxguest.elf", status);
	else {
		status = ((entry_function)(load_address + (elf->entry - IMAGE_BASE)))(image, systab, &ext);
		if (EFI_ERROR(status))
			fail(u"starting the VMM", status);
	}

	/* From here on, if status is success, the firmware runs as a guest: so do these two services and the print. */
	ext.file->Close(ext.file);
	systab->boot_services->FreePages(load_address, EARLY_SIZE / PAGE_SIZE);
	if (!EFI_ERROR(status))
		print(outcome[vmcall(VMCALL_SIGNATURE) == VMCALL_SIGNATURE_VALUE]);
	return status;
}
