/** The Multiboot information structure: Multiboot Specification 0.6.96, section 3.3. */
import { Pack } from '../uefi/pack.ts';
import { Low, type MemoryRange } from './memory-map.ts';

const Flag = { memory: 1, bootDevice: 2, commandLine: 4, modules: 8, memoryMap: 0x40, loaderName: 0x200 } as const;
/** BIOS disk 80H, no partition. */
const BOOT_DEVICE = 0x8000_ffff;
const INFORMATION_LENGTH = 88;
const LOADER_NAME = 'vmxscope';

export interface LoadedModule {
  readonly start: number;
  readonly end: number;
  readonly commandLine: string;
}

export interface Information {
  readonly ramSize: number;
  readonly commandLine: string;
  readonly modules: readonly LoadedModule[];
  readonly memory: readonly MemoryRange[];
}

/** The structure with what it points at, for the address `at`. */
export function multibootInformation(at: number, { ramSize, commandLine, modules, memory }: Information): Uint8Array {
  const rest = new Pack();
  const place = (bytes: Uint8Array): number => {
    rest.align(4);
    const address = at + INFORMATION_LENGTH + rest.length;
    rest.bytes(bytes);
    return address;
  };
  const text = (s: string): number => place(Uint8Array.from([...new TextEncoder().encode(s), 0]));
  const map = memory.reduce((p, r) => p.u32(20).u64(r.base).u64(r.length).u32(r.type), new Pack()).done();
  const [command, loader, mapAddress] = [text(commandLine), text(LOADER_NAME), place(map)];
  const list = modules.map((m) => ({ ...m, text: text(m.commandLine) }));
  const moduleList = place(list.reduce((p, m) => p.u32(m.start).u32(m.end).u32(m.text).u32(0), new Pack()).done());
  const { memory: sizes, bootDevice, commandLine: line, modules: mods, memoryMap, loaderName } = Flag;
  const info = new Pack()
    .u32(sizes | bootDevice | line | mods | memoryMap | loaderName)
    .u32(Low.end >> 10)
    .u32((ramSize - Low.high) / 1024)
    .u32(BOOT_DEVICE)
    .u32(command)
    .u32(modules.length)
    .u32(moduleList)
    .zeros(16) // symbols
    .u32(map.length)
    .u32(mapAddress)
    .zeros(12) // drives, configuration table
    .u32(loader)
    .zeros(20); // APM, VBE
  return info.bytes(rest.done()).done();
}
