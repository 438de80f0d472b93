import { UEFI_REVISION } from '../constants.ts';
import type { FirmwareContext } from '../context.ts';
import { crc32 } from '../crc32.ts';
import { littleEndian, Pack } from '../pack.ts';
import { bootServices } from '../services/boot/index.ts';
import { runtimeServices } from '../services/runtime/index.ts';

/** System table and service tables in guest memory: UEFI 2.10, 4.2-4.6. Header: signature, revision, size, CRC-32. */
const SIGNATURE = { system: 'IBI SYST', boot: 'BOOTSERV', runtime: 'RUNTSERV' } as const;
const CRC_OFFSET = 16;
export const SystemTable = { size: 120, numberOfTableEntries: 104, configurationTable: 112, runtimeServices: 88, firmwareVendor: 24 } as const;
export const CONFIGURATION_ENTRY = 24;

export interface TablePlaces {
  readonly system: number;
  readonly runtime: number;
  readonly vendor: number;
  readonly configuration: number;
  readonly maxConfiguration: number;
  readonly boot: number;
}

/** Fixed places: an application may not move them. The boot services table lies in memory that ends with boot services. */
export function tablePlaces(fw: Pick<FirmwareContext, 'layout'>): TablePlaces {
  const { runtimeData, bootData } = fw.layout;
  return {
    system: runtimeData.base,
    runtime: runtimeData.base + 0x100,
    vendor: runtimeData.base + 0x200,
    configuration: runtimeData.base + 0x400,
    maxConfiguration: (0x2000 - 0x400) / CONFIGURATION_ENTRY,
    boot: bootData.base + 0x100,
  };
}

function header(signature: string, size: number): Pack {
  return new Pack().ascii(signature).u32(UEFI_REVISION).u32(size).u32(0).u32(0);
}

export function writeSealed(fw: FirmwareContext, at: number, bytes: Uint8Array): void {
  bytes.set([0, 0, 0, 0], CRC_OFFSET);
  bytes.set(littleEndian(crc32(bytes), 4), CRC_OFFSET);
  fw.memory.write(at, bytes);
}

/** After a member has changed: the CRC of a table of `size` bytes as it lies in memory. */
export function reseal(fw: FirmwareContext, at: number, size: number): void {
  writeSealed(fw, at, fw.memory.read(at, size).slice());
}

export const RUNTIME_TABLE_SIZE = 24 + 14 * 8;

export function writeTables(
  fw: FirmwareContext,
  vendor: string,
  consoles: { input: number; inputProtocol: number; output: number; outputProtocol: number },
): void {
  const places = tablePlaces(fw);
  fw.memory.write(places.vendor, new Pack().utf16(vendor).done());
  const boot = header(SIGNATURE.boot, 24 + bootServices.length * 8);
  for (const s of bootServices) boot.u64(s ? fw.slot(s.name) : 0);
  writeSealed(fw, places.boot, boot.done());
  const runtime = header(SIGNATURE.runtime, RUNTIME_TABLE_SIZE);
  for (const s of runtimeServices) runtime.u64(fw.slot(s.name));
  writeSealed(fw, places.runtime, runtime.done());
  const { input, inputProtocol, output, outputProtocol } = consoles;
  const system = header(SIGNATURE.system, SystemTable.size)
    .u64(places.vendor)
    .u32(1)
    .u32(0)
    .u64(input)
    .u64(inputProtocol)
    .u64(output)
    .u64(outputProtocol)
    .u64(output)
    .u64(outputProtocol)
    .u64(places.runtime)
    .u64(places.boot)
    .u64(0)
    .u64(places.configuration);
  writeSealed(fw, places.system, system.done());
}

/** The configuration table (4.6) as the state has it. */
export function writeConfiguration(fw: FirmwareContext): void {
  const places = tablePlaces(fw);
  const pack = new Pack();
  for (const c of fw.state.configuration) pack.guid(c.guid).u64(c.table);
  fw.memory.write(places.configuration, pack.done());
  fw.memory.setU64(places.system + SystemTable.numberOfTableEntries, fw.state.configuration.length);
  reseal(fw, places.system, SystemTable.size);
}

/** Console handles and protocols, and the boot services table. */
const BOOT_MEMBERS = [40, 48, 56, 64, 72, 80, 96];

/** After ExitBootServices the boot members of the system table are gone: 7.4.6. */
export function dropBootMembers(fw: FirmwareContext): void {
  const { system } = tablePlaces(fw);
  for (const member of BOOT_MEMBERS) fw.memory.setU64(system + member, 0);
  reseal(fw, system, SystemTable.size);
}

/** SetVirtualAddressMap: the pointers of the runtime tables become virtual (8.4.1). */
export function convertTables(fw: FirmwareContext, convert: (address: bigint) => bigint | undefined): void {
  const { system, runtime } = tablePlaces(fw);
  const change = (at: number): void => {
    const virtual = convert(fw.memory.u64(at));
    if (virtual !== undefined) fw.memory.setU64(at, virtual);
  };
  for (let n = 0; n < runtimeServices.length; n++) change(runtime + 24 + n * 8);
  for (const member of [SystemTable.firmwareVendor, SystemTable.runtimeServices, SystemTable.configurationTable]) change(system + member);
  reseal(fw, runtime, RUNTIME_TABLE_SIZE);
  reseal(fw, system, SystemTable.size);
}
