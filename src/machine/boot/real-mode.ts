/**
 * What a kernel that goes back to real mode finds of a BIOS: interrupt vectors, the timer at 18.2 Hz on IRQ 0, and the
 * interrupt controllers at the PC's vectors. Calls of BIOS functions return at once.
 */
import type { MachineServices } from '../machine-services.ts';
import { Pack } from '../uefi/pack.ts';
import { Low } from './memory-map.ts';

/** Vectors of IRQ 0 and IRQ 8. */
const [MASTER, SLAVE] = [0x08, 0x70] as const;

/** IRQ 0: push ax; push ds; xor ax, ax; mov ds, ax; inc dword [46Ch]; mov al, 20h; out 20h, al; pop ds; pop ax; iret. */
const TIMER = [0x50, 0x1e, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, Low.ticks & 0xff, Low.ticks >> 8, 0xb0, 0x20, 0xe6, 0x20, 0x1f, 0x58, 0xcf];
const IRET = [0xcf];

/** Port writes: both 8259s edge-triggered at their vectors with only IRQ 0 and the cascade open; 8254 counter 0 in mode 3, 65536. */
const WRITES: readonly (readonly [port: number, value: number])[] = [
  ...[[0x20, MASTER, 4, 0xfa], [0xa0, SLAVE, 2, 0xff]].flatMap(([port, base, cascade, mask]) =>
    [[port!, 0x11], [port! + 1, base!], [port! + 1, cascade!], [port! + 1, 1], [port! + 1, mask!]] as const),
  [0x43, 0x36],
  [0x40, 0],
  [0x40, 0],
]; // prettier-ignore

export function setUpRealMode({ memory, ports }: MachineServices): void {
  const vector = (handler: number): Uint8Array => new Pack().u16(handler & 0xffff).u16(0xf000).done(); // prettier-ignore
  for (let n = 0; n < 256; n++) memory.poke(Low.vectors + n * 4, vector(n === MASTER ? Low.timer : Low.iret));
  memory.poke(Low.timer, Uint8Array.from(TIMER));
  memory.poke(Low.iret, Uint8Array.from(IRET));
  memory.write(Low.extendedData, 2, Low.end >> 4);
  memory.write(Low.baseMemoryKib, 2, Low.end >> 10);
  memory.write(Low.ticks, 4, 0);
  for (const [port, value] of WRITES) ports.write(port, 1, value);
}
