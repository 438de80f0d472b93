import { buffer } from '../../call/arguments.ts';
import type { Call } from '../../call/call.ts';
import { service, type Service } from '../../call/service.ts';
import { decodePath, nodeText, pathText } from '../../handles/device-path.ts';
import { allocateBootData } from '../../memory/pool.ts';
import { utf16Bytes } from '../../pack.ts';

/** EFI_DEVICE_PATH_TO_TEXT_PROTOCOL: UEFI 2.10, 10.6.2. Results are pool blocks of the caller's; NULL for a bad path. */

function give(call: Call, string: string): bigint {
  const bytes = utf16Bytes(string);
  const at = allocateBootData(call.fw.state, bytes.length);
  call.fw.memory.write(at, bytes);
  return BigInt(at);
}

export const devicePathToText: readonly Service[] = [
  service('DevicePathToText.ConvertDeviceNodeToText', [buffer('DeviceNode')], (call, at) => {
    const header = call.read(at, 4);
    const length = header[2]! | (header[3]! << 8);
    if (length < 4) return 0n;
    return give(call, nodeText({ type: header[0]!, subtype: header[1]!, data: call.read(at + 4n, length - 4) }));
  }),
  service('DevicePathToText.ConvertDevicePathToText', [buffer('DevicePath')], (call, at) => {
    const path = decodePath((offset, length) => call.read(at + BigInt(offset), length));
    return path ? give(call, pathText(path.nodes)) : 0n;
  }),
];
