/** A kernel as `-kernel` loads it: what goes where, and where it starts. */

/** Bytes at a physical address, with zeros after them up to `size`. */
export interface BootSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly size: number;
}

export interface BootImage {
  readonly entry: number;
  readonly segments: readonly BootSegment[];
}

/** A kernel, module or command line that cannot be loaded; the message says why. */
export class BootImageError extends Error {}

export const endOf = (s: BootSegment): number => s.address + s.size;
