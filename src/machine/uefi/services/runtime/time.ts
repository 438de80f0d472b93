import { buffer, pointer } from '../../call/arguments.ts';
import { service } from '../../call/service.ts';
import { Pack } from '../../pack.ts';
import { Status } from '../../status.ts';
import { decodeTime, EFI_TIME_SIZE, encodeTime } from './efi-time.ts';

/** Time services: UEFI 2.10, 8.3. The date is the machine's: its start date plus its own time. */

export const GetTime = service('GetTime', [buffer('Time'), pointer('Capabilities')], (call, time, capabilities) => {
  const { machine, state } = call.fw;
  call.write(time, encodeTime(machine.clock.startDate + machine.clock.now() / 1e6 + state.timeOffset));
  // One count a second, one part per million, the seconds are kept when the time is set.
  if (capabilities !== 0n) call.write(capabilities, new Pack().u32(1).u32(1_000_000).u8(0).align(4).done());
  return Status.SUCCESS;
});

export const SetTime = service('SetTime', [buffer('Time')], (call, time) => {
  const ms = decodeTime(call.read(time, EFI_TIME_SIZE));
  if (ms === undefined) return Status.INVALID_PARAMETER;
  const { machine, state } = call.fw;
  state.timeOffset = ms - (machine.clock.startDate + machine.clock.now() / 1e6);
  return Status.SUCCESS;
});
