import { buffer, inOut64, optionalOut32, optionalOut64, out32, out64, pointer, u32, u8, uintn } from '../../call/arguments.ts';
import { service } from '../../call/service.ts';
import { crc32 } from '../../crc32.ts';
import { allocatePages, describeMap, DESCRIPTOR_SIZE, DESCRIPTOR_VERSION, freePages } from '../../memory/map.ts';
import { allocatePool, freePool } from '../../memory/pool.ts';
import { Status } from '../../status.ts';

/** Memory services: UEFI 2.10, 7.2, and the memory utilities of 7.5. */

export const AllocatePages = service(
  'AllocatePages',
  [u32('Type'), u32('MemoryType'), uintn('Pages'), inOut64('Memory')],
  ({ fw }, type, memoryType, pages, memory) => {
    memory.set(allocatePages(fw.state.map, type, memoryType, pages, memory.value));
    return Status.SUCCESS;
  },
);

export const FreePages = service('FreePages', [uintn('Memory'), uintn('Pages')], ({ fw }, memory, pages) => {
  freePages(fw.state.map, memory, pages);
  return Status.SUCCESS;
});

export const GetMemoryMap = service(
  'GetMemoryMap',
  [inOut64('MemoryMapSize'), pointer('MemoryMap'), optionalOut64('MapKey'), optionalOut64('DescriptorSize'), optionalOut32('DescriptorVersion')],
  (call, size, at, key, descriptorSize, version) => {
    const { map } = call.fw.state;
    const bytes = describeMap(map);
    const room = size.value;
    size.set(bytes.length);
    descriptorSize.set(DESCRIPTOR_SIZE);
    version.set(DESCRIPTOR_VERSION);
    if (room < bytes.length) return Status.BUFFER_TOO_SMALL;
    if (at === 0n) return Status.INVALID_PARAMETER;
    key.set(map.key);
    call.write(at, bytes);
    return Status.SUCCESS;
  },
);

export const AllocatePool = service('AllocatePool', [u32('PoolType'), uintn('Size'), out64('Buffer')], ({ fw }, type, size, result) => {
  result.set(allocatePool(fw.state, type, size));
  return Status.SUCCESS;
});

export const FreePool = service('FreePool', [uintn('Buffer')], ({ fw }, at) => {
  freePool(fw.state, at);
  return Status.SUCCESS;
});

export const CopyMem = service('CopyMem', [pointer('Destination'), pointer('Source'), uintn('Length')], (call, to, from, length) => {
  if (length > 0) call.write(to, call.read(from, length).slice());
  return 0n;
});

export const SetMem = service('SetMem', [pointer('Buffer'), uintn('Size'), u8('Value')], (call, at, size, value) => {
  call.probe(at, size); // first, so that a wild size ends in the guest's fault
  call.write(at, new Uint8Array(size).fill(value));
  return 0n;
});

export const CalculateCrc32 = service('CalculateCrc32', [buffer('Data'), uintn('DataSize'), out32('Crc32')], (call, at, size, result) => {
  if (size === 0) return Status.INVALID_PARAMETER;
  result.set(crc32(call.read(at, size)));
  return Status.SUCCESS;
});
