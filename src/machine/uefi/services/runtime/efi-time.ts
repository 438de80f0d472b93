import { Pack } from '../../pack.ts';

/** EFI_TIME: UEFI 2.10, 8.3.1. Times are UTC; the time zone is EFI_UNSPECIFIED_TIMEZONE. */
const UNSPECIFIED_TIMEZONE = 0x7ff;
export const EFI_TIME_SIZE = 16;

export function encodeTime(ms: number): Uint8Array {
  const d = new Date(ms);
  return new Pack()
    .u16(d.getUTCFullYear())
    .u8(d.getUTCMonth() + 1, d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), 0)
    .u32(Math.floor((ms % 1000) * 1_000_000))
    .u16(UNSPECIFIED_TIMEZONE)
    .u16(0)
    .done();
}

/** ms since 1970, or undefined for a date that does not exist. */
export function decodeTime(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, EFI_TIME_SIZE);
  const [year, month, day] = [view.getUint16(0, true), view.getUint8(2), view.getUint8(3)];
  const [hour, minute, second] = [view.getUint8(4), view.getUint8(5), view.getUint8(6)];
  const nanosecond = view.getUint32(8, true);
  const zone = view.getInt16(12, true);
  if (year < 1900 || year > 9999 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 || nanosecond > 999_999_999)
    return undefined;
  if (zone !== UNSPECIFIED_TIMEZONE && (zone < -1440 || zone > 1440)) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second, Math.floor(nanosecond / 1e6));
  if (new Date(ms).getUTCDate() !== day) return undefined;
  return zone === UNSPECIFIED_TIMEZONE ? ms : ms + zone * 60_000;
}
