/* The parts of UEFI 2.10 this guest uses. Table members it never touches are arrays of the right size. */
#pragma once
#include "types.h"

#define EFIAPI __attribute__((ms_abi))

typedef u64 EFI_STATUS;
typedef void *EFI_HANDLE;
typedef u16 CHAR16;

#define EFI_ERROR_BIT BIT(63)
#define EFI_SUCCESS 0ull
#define EFI_LOAD_ERROR (EFI_ERROR_BIT | 1)
#define EFI_UNSUPPORTED (EFI_ERROR_BIT | 3)
#define EFI_OUT_OF_RESOURCES (EFI_ERROR_BIT | 9)
#define EFI_ERROR(s) (((s) & EFI_ERROR_BIT) != 0)

typedef struct {
	u32 data1;
	u16 data2, data3;
	u8 data4[8];
} EFI_GUID;

typedef struct {
	u64 signature;
	u32 revision, header_size, crc32, reserved;
} EFI_TABLE_HEADER;

/* UEFI 2.10 section 7.2.1, EFI_ALLOCATE_TYPE and EFI_MEMORY_TYPE */
enum { AllocateAnyPages, AllocateMaxAddress, AllocateAddress };
enum { EfiReservedMemoryType, EfiLoaderCode, EfiLoaderData, EfiUnusableMemory = 8 };

typedef struct EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL { /* section 12.4 */
	void *reset;
	EFI_STATUS(EFIAPI *OutputString)(struct EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL *, const CHAR16 *);
} EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL;

typedef struct { /* section 4.4 */
	EFI_TABLE_HEADER header;
	void *raise_restore_tpl[2];
	EFI_STATUS(EFIAPI *AllocatePages)(u32 type, u32 memory_type, u64 pages, u64 *memory);
	EFI_STATUS(EFIAPI *FreePages)(u64 memory, u64 pages);
	void *memory_map_and_pools[3];
	void *events_and_timers[6];
	void *install_protocols[3];
	EFI_STATUS(EFIAPI *HandleProtocol)(EFI_HANDLE, const EFI_GUID *, void **interface);
} EFI_BOOT_SERVICES;

typedef struct {
	EFI_GUID vendor_guid;
	void *vendor_table;
} EFI_CONFIGURATION_TABLE;

typedef struct { /* section 4.3 */
	EFI_TABLE_HEADER header;
	const CHAR16 *firmware_vendor;
	u32 firmware_revision;
	EFI_HANDLE console_in_handle;
	void *con_in;
	EFI_HANDLE console_out_handle;
	EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL *con_out;
	EFI_HANDLE standard_error_handle;
	EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL *std_err;
	void *runtime_services;
	EFI_BOOT_SERVICES *boot_services;
	u64 number_of_table_entries;
	EFI_CONFIGURATION_TABLE *configuration_table;
} EFI_SYSTEM_TABLE;

typedef struct { /* section 9.1 */
	u32 revision;
	EFI_HANDLE parent_handle;
	EFI_SYSTEM_TABLE *system_table;
	EFI_HANDLE device_handle;
	void *file_path;
} EFI_LOADED_IMAGE_PROTOCOL;

typedef struct EFI_FILE_PROTOCOL { /* section 13.5 */
	u64 revision;
	EFI_STATUS(EFIAPI *Open)(struct EFI_FILE_PROTOCOL *, struct EFI_FILE_PROTOCOL **, const CHAR16 *name, u64 mode, u64 attributes);
	EFI_STATUS(EFIAPI *Close)(struct EFI_FILE_PROTOCOL *);
	void *delete_file;
	EFI_STATUS(EFIAPI *Read)(struct EFI_FILE_PROTOCOL *, u64 *size, void *buffer);
	void *write;
	void *get_position;
	EFI_STATUS(EFIAPI *SetPosition)(struct EFI_FILE_PROTOCOL *, u64 position);
} EFI_FILE_PROTOCOL;

#define EFI_FILE_MODE_READ 1ull

typedef struct EFI_SIMPLE_FILE_SYSTEM_PROTOCOL { /* section 13.4 */
	u64 revision;
	EFI_STATUS(EFIAPI *OpenVolume)(struct EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *, EFI_FILE_PROTOCOL **root);
} EFI_SIMPLE_FILE_SYSTEM_PROTOCOL;

typedef struct { /* section 10.2: a node of a device path */
	u8 type, sub_type, length[2];
} EFI_DEVICE_PATH_PROTOCOL;

#define EFI_LOADED_IMAGE_PROTOCOL_GUID \
	{ 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID \
	{ 0x964e5b22, 0x6459, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } }
#define EFI_ACPI_20_TABLE_GUID \
	{ 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } }
#define EFI_ACPI_10_TABLE_GUID \
	{ 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } }
