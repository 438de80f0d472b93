import { buffer, out32, u32, u64, uintn, pointer } from '../../call/arguments.ts';
import { service, TRANSFERRED } from '../../call/service.ts';
import { Guids } from '../../guids.ts';
import { signalGroup } from '../../events/events.ts';
import { finishWithDispatch } from '../../events/dispatch.ts';
import { probeCall } from '../../events/context.ts';
import { littleEndian } from '../../pack.ts';
import { opaque, type FirmwareState, type Opaque } from '../../state.ts';
import { invalid, Status, statusName } from '../../status.ts';
import { DESCRIPTOR_SIZE } from '../../memory/map.ts';
import { MemoryAttribute, PAGE } from '../../constants.ts';

/** The rest of the runtime services: UEFI 2.10, 8.4 and 8.5. */

/** Physical to virtual by the operating system's map; undefined outside it. */
function convert(state: FirmwareState, address: bigint): bigint | undefined {
  for (const [physical, virtual, length] of state.virtualMap ?? []) {
    const offset = address - BigInt(physical);
    if (offset >= 0n && offset < BigInt(length)) return BigInt(virtual) + offset;
  }
  return undefined;
}

export const SetVirtualAddressMap = service(
  'SetVirtualAddressMap',
  [uintn('MemoryMapSize'), uintn('DescriptorSize'), u32('DescriptorVersion'), buffer('VirtualMap')],
  (call, size, descriptorSize, version, at) => {
    const { fw } = call;
    const { state } = fw;
    if (!state.exited || state.virtualMap) return Status.UNSUPPORTED;
    if (version !== 1 || descriptorSize < 40 || descriptorSize > DESCRIPTOR_SIZE * 4 || size > 0x10_0000) throw invalid();
    const map: [Opaque, Opaque, number][] = [];
    for (let n = 0; n + descriptorSize <= size; n += descriptorSize) {
      const from = at + BigInt(n);
      if ((call.u64(from + 32n) & MemoryAttribute.RUNTIME) === 0n) continue;
      map.push([opaque(call.u64(from + 8n)), opaque(call.u64(from + 16n)), Number(call.u64(from + 24n)) * PAGE]);
    }
    probeCall(fw, call.cpu, call.stack);
    state.virtualMap = map;
    signalGroup(state, Guids.eventVirtualAddressChange);
    fw.convertTables((p) => convert(state, p));
    return finishWithDispatch(call, Status.SUCCESS);
  },
);

const OPTIONAL_POINTER = 1n;

export const ConvertPointer = service('ConvertPointer', [u64('DebugDisposition'), buffer('Address')], (call, disposition, at) => {
  const { state } = call.fw;
  if (!state.virtualMap) return Status.UNSUPPORTED;
  const value = call.u64(at);
  if (value === 0n) return (disposition & OPTIONAL_POINTER) !== 0n ? Status.SUCCESS : Status.INVALID_PARAMETER;
  const virtual = convert(state, value);
  if (virtual === undefined) return Status.NOT_FOUND;
  call.write(at, littleEndian(virtual, 8));
  return Status.SUCCESS;
});

export const GetNextHighMonotonicCount = service('GetNextHighMonotonicCount', [out32('HighCount')], ({ fw }, high) => {
  const { state } = fw;
  state.monotonic = (Math.floor(state.monotonic / 2 ** 32) + 1) * 2 ** 32;
  high.set(state.monotonic / 2 ** 32);
  return Status.SUCCESS;
});

const ResetType = { cold: 0, warm: 1, shutdown: 2, platformSpecific: 3 } as const;

/** Does not return: RIP stays at the trap until the machine has done what was asked. */
export const ResetSystem = service(
  'ResetSystem',
  [u32('ResetType'), u64('ResetStatus'), uintn('DataSize'), pointer('ResetData')],
  ({ fw }, type, status) => {
    if (status !== 0n) fw.machine.log(`ResetSystem with status ${statusName(status)}`);
    fw.machine.request(type === ResetType.shutdown ? 'power-off' : 'reset');
    return TRANSFERRED;
  },
);
