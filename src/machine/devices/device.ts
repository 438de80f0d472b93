/** JSON-like data: what a device's state must be made of, so that a snapshot can be stored and compared. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** A device: registers its ranges when constructed, holds its state in plain data. */
export interface Device {
  /** Unique: snapshots refer to it. */
  readonly name: string;
  /** Power-on and reset state. */
  reset(): void;
  snapshot(): Plain;
  restore(state: Plain): void;
  /** One or more lines for `monitor info`. */
  describe(): string;
}
