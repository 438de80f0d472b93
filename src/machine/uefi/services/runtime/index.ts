import { unsupported, type Service } from '../../call/service.ts';
import * as machine from './machine.ts';
import * as time from './time.ts';
import * as variables from './variables.ts';

/** EFI_RUNTIME_SERVICES in the order of the table: UEFI 2.10, 4.5. */
export const runtimeServices: readonly Service[] = [
  time.GetTime,
  time.SetTime,
  unsupported('GetWakeupTime'),
  unsupported('SetWakeupTime'),
  machine.SetVirtualAddressMap,
  machine.ConvertPointer,
  variables.GetVariable,
  variables.GetNextVariableName,
  variables.SetVariable,
  machine.GetNextHighMonotonicCount,
  machine.ResetSystem,
  unsupported('UpdateCapsule'),
  unsupported('QueryCapsuleCapabilities'),
  variables.QueryVariableInfo,
];
