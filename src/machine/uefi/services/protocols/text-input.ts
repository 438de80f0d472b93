import { buffer, pointer } from '../../call/arguments.ts';
import { service, unsupported, type Service } from '../../call/service.ts';
import type { FirmwareContext } from '../../context.ts';
import { Pack } from '../../pack.ts';
import { Status } from '../../status.ts';

/** Text input, UEFI 2.10, 12.3 and 12.2: both protocols take keys from one queue. */

function reset(fw: FirmwareContext): bigint {
  Object.assign(fw.state.console, { keys: [], escape: [] });
  return Status.SUCCESS;
}

/** EFI_SIMPLE_TEXT_INPUT_PROTOCOL; its WaitForKey event follows. */
export const textInput: readonly Service[] = [
  service('ConIn.Reset', [pointer('This')], ({ fw }) => reset(fw)),
  service('ConIn.ReadKeyStroke', [pointer('This'), buffer('Key')], (call, _this, at) => {
    const key = call.fw.state.console.keys[0];
    if (!key) return Status.NOT_READY;
    call.write(at, new Pack().u16(key.scan).u16(key.char).done());
    call.fw.state.console.keys.shift();
    return Status.SUCCESS;
  }),
];

/** EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL before and after its WaitForKeyEx event. A terminal tells nothing of shift or toggle keys. */
export const textInputEx: readonly Service[] = [
  service('ConInEx.Reset', [pointer('This')], ({ fw }) => reset(fw)),
  service('ConInEx.ReadKeyStrokeEx', [pointer('This'), buffer('KeyData')], (call, _this, at) => {
    const key = call.fw.state.console.keys[0];
    call.write(at, new Pack().u16(key?.scan ?? 0).u16(key?.char ?? 0).u32(0).u8(0).align(4).done()); // prettier-ignore
    if (!key) return Status.NOT_READY;
    call.fw.state.console.keys.shift();
    return Status.SUCCESS;
  }),
];
export const textInputExRest: readonly Service[] = [
  unsupported('ConInEx.SetState'),
  unsupported('ConInEx.RegisterKeyNotify'),
  unsupported('ConInEx.UnregisterKeyNotify'),
];
