import type { MachineServices } from '../machine-services.ts';
import type { CallerAccess } from './call/access.ts';
import type { ConsoleSink } from './console/console.ts';
import type { HostDirectory } from './files/host-directory.ts';
import type { FirmwareLayout } from './layout.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { FirmwareState } from './state.ts';

export interface FirmwareOptions {
  /** What the firmware boots first: a path in the directory, `\` or `/` between names, and the image's arguments. */
  readonly image?: { readonly path: string; readonly arguments?: string };
  /** The EFI system partition, `fs0:`. */
  readonly directory?: HostDirectory;
  readonly console?: ConsoleSink;
  /** How services reach memory through the caller's page tables; tests replace it. */
  readonly access?: CallerAccess;
}

/** What every part of the firmware works on. `Firmware` is the one implementation. */
export interface FirmwareContext {
  readonly machine: MachineServices;
  readonly options: FirmwareOptions;
  readonly layout: FirmwareLayout;
  /** RAM by physical address, for the firmware's own structures. */
  readonly memory: GuestMemory;
  readonly access: CallerAccess;
  /** Replaced as a whole by `restore`: never keep a reference to a part of it. */
  readonly state: FirmwareState;
  /** Address of a trap slot by service name: what function pointers in tables hold. */
  slot(name: string): number;
  /** Address of stub code by name. */
  stub(name: string): number;
  /** The configuration table in guest memory follows the state. */
  writeConfiguration(): void;
  readonly maxConfiguration: number;
  /** The system table after ExitBootServices. */
  dropBootMembers(): void;
  /** The runtime tables after SetVirtualAddressMap. */
  convertTables(convert: (address: bigint) => bigint | undefined): void;
}
