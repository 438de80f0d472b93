/** GUIDs are lower-case text in the firmware's state and 16 bytes in guest memory (UEFI 2.10, appendix A). */
export type Guid = string;

export const Guids = {
  loadedImage: '5b1b31a1-9562-11d2-8e3f-00a0c969723b',
  loadedImageDevicePath: 'bc62157e-3e33-4fec-9920-2d3b36d750df',
  devicePath: '09576e91-6d3f-11d2-8e39-00a0c969723b',
  simpleFileSystem: '964e5b22-6459-11d2-8e39-00a0c969723b',
  simpleTextOutput: '387477c2-69c7-11d2-8e39-00a0c969723b',
  simpleTextInput: '387477c1-69c7-11d2-8e39-00a0c969723b',
  simpleTextInputEx: 'dd9e7534-7762-4698-8c14-f58517a625aa',
  unicodeCollation2: 'a4c751fc-23ae-4c3e-92e9-4964cf63f349',
  devicePathToText: '8b843e20-8132-4852-90cc-551a4e4a7f1c',
  fileInfo: '09576e92-6d3f-11d2-8e39-00a0c969723b',
  fileSystemInfo: '09576e93-6d3f-11d2-8e39-00a0c969723b',
  fileSystemVolumeLabel: 'db47d7d3-fe81-11d3-9a35-0090273fc14d',
  acpi20: '8868e871-e4f1-11d3-bc22-0080c73c8881',
  acpi10: 'eb9d2d30-2d88-11d3-9a16-0090273fc14d',
  globalVariable: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  eventExitBootServices: '27abf055-b1b8-4c26-8048-748f37baa2df',
  eventBeforeExitBootServices: '8be0e274-3970-4b44-80c5-1ab9502f3bfc',
  eventVirtualAddressChange: '13fa7698-c831-49c7-87ea-8f43fcc25196',
  eventMemoryMapChange: '78bee926-692f-48fd-9edb-01422ef0d7ab',
  eventReadyToBoot: '7ce88fb3-4bd7-4679-87a8-a8d8dee50d2b',
  /** This project's own: the device path of the directory given as the EFI system partition. */
  hostDirectory: '7c1ff1e0-5d0a-4c1b-9a5e-76d8a15c0b01',
} as const satisfies Record<string, Guid>;

const names = new Map<Guid, string>(Object.entries(Guids).map(([name, guid]) => [guid, name[0]!.toUpperCase() + name.slice(1)]));

/** A name for people (`dh`): ours when known, else the GUID itself. */
export const guidName = (guid: Guid): string => names.get(guid) ?? guid;

const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]; // the first three fields are little-endian

export function guidBytes(guid: Guid): Uint8Array {
  const digits = guid.replaceAll('-', '');
  return Uint8Array.from(order, (n) => parseInt(digits.slice(n * 2, n * 2 + 2), 16));
}

export function guidText(bytes: Uint8Array): Guid {
  const digits = Array<string>(16);
  order.forEach((n, k) => (digits[n] = bytes[k]!.toString(16).padStart(2, '0')));
  return digits.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
