import type { PortSpace } from '../memory/ports.ts';

/** Debug consoles: Bochs's port E9h and QEMU's isa-debugcon at 402h. Reading one gives E9h: "there is a console". */
const CONSOLES = [0xe9, 0x402] as const;
/** QEMU's isa-debug-exit. */
const EXIT = 0xf4;

/**
 * Ports for guests that know they are emulated. They keep no state, so they are no `Device`.
 * @param onExit the value written to F4h; QEMU's own exit status for it is (value << 1) | 1
 */
export function mapDebugPorts(ports: PortSpace, onByte: (byte: number) => void, onExit: (value: number) => void): void {
  for (const base of CONSOLES) {
    ports.map({ name: 'debug console', base, length: 1, read: () => 0xe9, write: (_port, _size, value) => onByte(value & 0xff) });
  }
  ports.map({ name: 'debug exit', base: EXIT, length: 4, read: () => 0, write: (_port, _size, value) => onExit(value >>> 0) });
}
