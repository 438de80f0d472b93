/** What the machine and its users need of the built-in UEFI. */
export { Firmware } from './firmware.ts';
export type { FirmwareOptions } from './context.ts';
export type { ConsoleSink } from './console/console.ts';
export { memoryDirectory, type HostDirectory, type HostEntry, type HostWriter } from './files/host-directory.ts';
export { statusName } from './status.ts';
