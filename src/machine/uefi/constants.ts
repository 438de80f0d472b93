/** EFI_MEMORY_TYPE: UEFI 2.10, 7.2.1. */
export const MemoryType = {
  reserved: 0,
  loaderCode: 1,
  loaderData: 2,
  bootServicesCode: 3,
  bootServicesData: 4,
  runtimeServicesCode: 5,
  runtimeServicesData: 6,
  conventional: 7,
  unusable: 8,
  acpiReclaim: 9,
  acpiNvs: 10,
  mmio: 11,
  mmioPort: 12,
  palCode: 13,
  persistent: 14,
  unaccepted: 15,
} as const;

/** What `memmap` prints, by type number. */
export const memoryTypeNames = [
  'Reserved', 'LoaderCode', 'LoaderData', 'BS_Code', 'BS_Data', 'RT_Code', 'RT_Data', 'Available', 'Unusable', 'ACPI_Recl', 'ACPI_NVS', 'MMIO', 'MMIO_Port', 'PalCode', 'Persistent',
  'Unaccepted',
] as const; // prettier-ignore

/** EFI_ALLOCATE_TYPE: UEFI 2.10, 7.2.1. */
export const AllocateType = { anyPages: 0, maxAddress: 1, address: 2 } as const;

/** Memory attributes: UEFI 2.10, 7.2.3. */
export const MemoryAttribute = { UC: 1n, WC: 2n, WT: 4n, WB: 8n, RUNTIME: 1n << 63n } as const;

/** Task priority levels: UEFI 2.10, 7.1. */
export const Tpl = { application: 4, callback: 8, notify: 16, high: 31 } as const;

/** Event types: UEFI 2.10, 7.1.1. */
export const EventType = { timer: 0x8000_0000, runtime: 0x4000_0000, notifyWait: 0x100, notifySignal: 0x200, signalExitBootServices: 0x201, signalVirtualAddressChange: 0x6000_0202 } as const; // prettier-ignore

/** File open modes and attributes: UEFI 2.10, 13.5.2. */
export const FileMode = { read: 1n, write: 2n, create: 1n << 63n } as const;
export const FileAttribute = { readOnly: 1, hidden: 2, system: 4, directory: 0x10, archive: 0x20 } as const;

/** OpenProtocol attributes: UEFI 2.10, 7.3.9. */
export const OpenAttribute = { byHandle: 1, getProtocol: 2, testProtocol: 4, byChild: 8, byDriver: 0x10, exclusive: 0x20 } as const;

/** Variable attributes: UEFI 2.10, 8.2. */
export const VariableAttribute = { nonVolatile: 1, bootService: 2, runtime: 4, hardwareError: 8, authenticated: 0x10, timeAuthenticated: 0x20, append: 0x40 } as const; // prettier-ignore

/** Revision of the tables: UEFI 2.10. */
export const UEFI_REVISION = (2 << 16) | 100;
export const PAGE = 4096;
