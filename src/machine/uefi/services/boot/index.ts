import type { Service } from '../../call/service.ts';
import * as events from './events.ts';
import * as images from './images.ts';
import * as memory from './memory.ts';
import * as miscellaneous from './miscellaneous.ts';
import * as protocols from './protocols.ts';

/** EFI_BOOT_SERVICES in the order of the table: UEFI 2.10, 4.4. Undefined: the member is reserved and zero. */
export const bootServices: readonly (Service | undefined)[] = [
  events.RaiseTPL,
  events.RestoreTPL,
  memory.AllocatePages,
  memory.FreePages,
  memory.GetMemoryMap,
  memory.AllocatePool,
  memory.FreePool,
  events.CreateEvent,
  events.SetTimer,
  events.WaitForEvent,
  events.SignalEvent,
  events.CloseEvent,
  events.CheckEvent,
  protocols.InstallProtocolInterface,
  protocols.ReinstallProtocolInterface,
  protocols.UninstallProtocolInterface,
  protocols.HandleProtocol,
  undefined,
  protocols.RegisterProtocolNotify,
  protocols.LocateHandle,
  protocols.LocateDevicePath,
  protocols.InstallConfigurationTable,
  images.LoadImage,
  images.StartImage,
  images.Exit,
  images.UnloadImage,
  images.ExitBootServices,
  miscellaneous.GetNextMonotonicCount,
  events.Stall,
  miscellaneous.SetWatchdogTimer,
  protocols.ConnectController,
  protocols.DisconnectController,
  protocols.OpenProtocol,
  protocols.CloseProtocol,
  protocols.OpenProtocolInformation,
  protocols.ProtocolsPerHandle,
  protocols.LocateHandleBuffer,
  protocols.LocateProtocol,
  protocols.InstallMultipleProtocolInterfaces,
  protocols.UninstallMultipleProtocolInterfaces,
  memory.CalculateCrc32,
  memory.CopyMem,
  memory.SetMem,
  events.CreateEventEx,
];
