import type { FirmwareContext } from '../context.ts';
import { FileAttribute } from '../constants.ts';
import { Pack } from '../pack.ts';
import { encodeTime } from '../services/runtime/efi-time.ts';
import type { HostEntry } from './host-directory.ts';

export const SECTOR = 512;

/** EFI_FILE_INFO: UEFI 2.10, 13.5.16. Also what reading a directory gives. */
export function fileInfo(fw: FirmwareContext, entry: HostEntry): Uint8Array {
  const writable = fw.options.directory?.writer !== undefined;
  const time = encodeTime(entry.modified ?? fw.machine.clock.startDate);
  const attributes = (entry.directory ? FileAttribute.directory : FileAttribute.archive) | (writable ? 0 : FileAttribute.readOnly);
  const name = new Pack().utf16(entry.name).done();
  return new Pack()
    .u64(80 + name.length)
    .u64(entry.size)
    .u64(Math.ceil(entry.size / SECTOR) * SECTOR)
    .bytes(time)
    .bytes(time)
    .bytes(time)
    .u64(attributes)
    .bytes(name)
    .done();
}

export const volumeLabel = (fw: FirmwareContext): string => fw.options.directory?.label ?? 'ESP';

/** EFI_FILE_SYSTEM_INFO: 13.5.17. The host's free space is not the guest's business: a fixed size. */
export function fileSystemInfo(fw: FirmwareContext): Uint8Array {
  const label = new Pack().utf16(volumeLabel(fw)).done();
  const readOnly = fw.options.directory?.writer === undefined;
  return new Pack()
    .u64(36 + label.length)
    .u8(readOnly ? 1 : 0)
    .align(8)
    .u64(512 << 20)
    .u64(readOnly ? 0 : 256 << 20)
    .u32(SECTOR)
    .bytes(label)
    .done();
}
