import { out64, u64, uintn } from '../../call/arguments.ts';
import { service } from '../../call/service.ts';
import { Status } from '../../status.ts';

/** Miscellaneous boot services: UEFI 2.10, 7.5. */

export const GetNextMonotonicCount = service('GetNextMonotonicCount', [out64('Count')], ({ fw }, count) => {
  count.set(++fw.state.monotonic);
  return Status.SUCCESS;
});

/** Seconds of the machine's time, checked at each tick. */
export const SetWatchdogTimer = service('SetWatchdogTimer', [uintn('Timeout'), u64('WatchdogCode')], ({ fw }, seconds, code) => {
  // Codes up to 0xffff are the firmware's own: UEFI 2.10, 7.5.1.
  if (code !== 0n && code <= 0xffffn && seconds !== 0)
    fw.machine.log.once('efi watchdog code', `SetWatchdogTimer with the reserved code 0x${code.toString(16)}`);
  fw.state.watchdog = seconds === 0 ? null : fw.machine.clock.now() + seconds * 1e9;
  return Status.SUCCESS;
});
