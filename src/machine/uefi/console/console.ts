/** The host's side of the console: bytes out. Keys come in through `Firmware.key`. */
export interface ConsoleSink {
  write(bytes: Uint8Array): void;
}
