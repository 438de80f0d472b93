/** EFI_STATUS codes: UEFI 2.10, appendix D. Errors have the top bit of a UINTN set. */
const ERROR = 1n << 63n;

export const Status = {
  SUCCESS: 0n,
  LOAD_ERROR: ERROR | 1n,
  INVALID_PARAMETER: ERROR | 2n,
  UNSUPPORTED: ERROR | 3n,
  BAD_BUFFER_SIZE: ERROR | 4n,
  BUFFER_TOO_SMALL: ERROR | 5n,
  NOT_READY: ERROR | 6n,
  DEVICE_ERROR: ERROR | 7n,
  WRITE_PROTECTED: ERROR | 8n,
  OUT_OF_RESOURCES: ERROR | 9n,
  VOLUME_CORRUPTED: ERROR | 10n,
  VOLUME_FULL: ERROR | 11n,
  NO_MEDIA: ERROR | 12n,
  MEDIA_CHANGED: ERROR | 13n,
  NOT_FOUND: ERROR | 14n,
  ACCESS_DENIED: ERROR | 15n,
  NO_RESPONSE: ERROR | 16n,
  NO_MAPPING: ERROR | 17n,
  TIMEOUT: ERROR | 18n,
  NOT_STARTED: ERROR | 19n,
  ALREADY_STARTED: ERROR | 20n,
  ABORTED: ERROR | 21n,
  INCOMPATIBLE_VERSION: ERROR | 25n,
  SECURITY_VIOLATION: ERROR | 26n,
  CRC_ERROR: ERROR | 27n,
  END_OF_FILE: ERROR | 31n,
  INVALID_LANGUAGE: ERROR | 32n,
} as const;

/** The one warning the firmware gives (positive code). */
export const WARN_DELETE_FAILURE = 2n;

export const isError = (status: bigint): boolean => (status & ERROR) !== 0n;

/** "EFI_NOT_FOUND", or the number in hexadecimal when it is none of ours. */
export function statusName(status: bigint): string {
  for (const [name, value] of Object.entries(Status)) if (value === status) return `EFI_${name}`;
  return `0x${status.toString(16)}`;
}

/** Thrown by argument fetching and loaders before anything has changed: the service ends with this status. */
export class Refusal {
  readonly status: bigint;
  readonly reason: string;
  constructor(status: bigint, reason = '') {
    this.status = status;
    this.reason = reason;
  }
}

export const invalid = (reason = ''): Refusal => new Refusal(Status.INVALID_PARAMETER, reason);
