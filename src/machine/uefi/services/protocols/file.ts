import { buffer, guid, inOut64, out64, pointer, text, u64, uintn } from '../../call/arguments.ts';
import type { Call } from '../../call/call.ts';
import { service, type Service } from '../../call/service.ts';
import { FileAttribute, FileMode } from '../../constants.ts';
import type { FirmwareContext } from '../../context.ts';
import { fileInfo, fileSystemInfo, volumeLabel } from '../../files/info.ts';
import type { HostDirectory, HostEntry, HostWriter } from '../../files/host-directory.ts';
import { findFile, MAX_NAME, onHost, splitName } from '../../files/volume.ts';
import { Guids } from '../../guids.ts';
import { allocateBootData, releasePool } from '../../memory/pool.ts';
import { Pack, utf16Bytes, utf16Text } from '../../pack.ts';
import { invalid, Refusal, Status, WARN_DELETE_FAILURE } from '../../status.ts';
import type { OpenFile } from '../../state.ts';

/** EFI_SIMPLE_FILE_SYSTEM_PROTOCOL and EFI_FILE_PROTOCOL on the host's directory: UEFI 2.10, 13.4 and 13.5. */

const FILE_REVISION = 0x1_0000; // EFI_FILE_PROTOCOL_REVISION: without the asynchronous members

function directoryOf(fw: FirmwareContext): HostDirectory {
  if (!fw.options.directory) throw new Refusal(Status.NO_MEDIA);
  return fw.options.directory;
}

function requireFile(fw: FirmwareContext, at: bigint): OpenFile {
  const file = fw.state.files.find((f) => BigInt(f.protocol) === at);
  if (!file) throw invalid('not an open file');
  return file;
}

/** What is open may have vanished on the host. */
function entryOf(fw: FirmwareContext, file: OpenFile): HostEntry {
  if (file.path === '') return { name: '', directory: true, size: 0 };
  const entry = onHost(fw, file.path, () => directoryOf(fw).stat(file.path));
  if (!entry) throw new Refusal(Status.DEVICE_ERROR);
  return entry;
}

function writerOf(fw: FirmwareContext): HostWriter {
  const { writer } = directoryOf(fw);
  if (!writer) throw new Refusal(Status.WRITE_PROTECTED);
  return writer;
}

function openFile(fw: FirmwareContext, path: string, directory: boolean, writable: boolean): OpenFile {
  const protocol = allocateBootData(fw.state, 8 + file.length * 8);
  fw.memory.write(protocol, file.reduce((p, s) => p.u64(fw.slot(s.name)), new Pack().u64(FILE_REVISION)).done());
  const open: OpenFile = { protocol, path, position: 0, directory, writable, entry: 0 };
  fw.state.files.push(open);
  return open;
}

function closeFile(fw: FirmwareContext, open: OpenFile): void {
  fw.state.files = fw.state.files.filter((f) => f !== open);
  releasePool(fw.state, open.protocol);
}

export const simpleFileSystem: readonly Service[] = [
  service('SimpleFileSystem.OpenVolume', [pointer('This'), out64('Root')], ({ fw }, _this, root) => {
    directoryOf(fw);
    root.set(openFile(fw, '', true, false).protocol);
    return Status.SUCCESS;
  }),
];

const { read, write, create } = FileMode;

const Open = service(
  'File.Open',
  [buffer('This'), out64('NewHandle'), text('FileName'), u64('OpenMode'), u64('Attributes')],
  ({ fw }, self, result, name, mode, attributes) => {
    const from = requireFile(fw, self);
    if (mode !== read && mode !== (read | write) && mode !== (read | write | create)) throw invalid('open mode');
    if (mode === (read | write | create) && (attributes & ~0x37n) !== 0n) throw invalid('attributes');
    const directory = directoryOf(fw);
    const parts = splitName(from.directory ? from.path : from.path.split('/').slice(0, -1).join('/'), name);
    if (!parts || parts.some((p) => p.length > MAX_NAME)) return Status.NOT_FOUND;
    let found = onHost(fw, name, () => findFile(directory, parts));
    if (mode !== read) {
      const writer = writerOf(fw);
      if (!found && (mode & create) === 0n) return Status.NOT_FOUND;
      if (!found) {
        const parent = onHost(fw, name, () => findFile(directory, parts.slice(0, -1)));
        if (!parent?.entry.directory) return Status.NOT_FOUND;
        const path = [...(parent.path === '' ? [] : [parent.path]), parts.at(-1)!].join('/');
        const isDirectory = (attributes & BigInt(FileAttribute.directory)) !== 0n;
        onHost(fw, name, () => writer.create(path, isDirectory));
        found = { path, entry: { name: parts.at(-1)!, directory: isDirectory, size: 0 } };
      }
    }
    if (!found) return Status.NOT_FOUND;
    result.set(openFile(fw, found.path, found.entry.directory, mode !== read).protocol);
    return Status.SUCCESS;
  },
);

const Close = service('File.Close', [buffer('This')], ({ fw }, self) => {
  closeFile(fw, requireFile(fw, self));
  return Status.SUCCESS;
});

/** Closes the handle whatever happens: 13.5.4. */
const Delete = service('File.Delete', [buffer('This')], ({ fw }, self) => {
  const open = requireFile(fw, self);
  const { writer } = directoryOf(fw);
  let deleted = false;
  if (writer && open.path !== '') {
    try {
      if (!open.directory || directoryOf(fw).list(open.path).length === 0) {
        writer.remove(open.path);
        deleted = true;
      }
    } catch (e) {
      fw.machine.log(`${open.path}: ${e instanceof Error ? e.message : String(e)}`);
    }
  }
  closeFile(fw, open);
  return deleted ? Status.SUCCESS : WARN_DELETE_FAILURE;
});

/** A directory gives one EFI_FILE_INFO a read, 0 bytes at its end: 13.5.5. */
function readDirectory(call: Call, open: OpenFile, size: { value: number; set(v: number): void }, at: bigint): bigint {
  const { fw } = call;
  const next = onHost(fw, open.path, () => directoryOf(fw).list(open.path))[open.entry];
  if (!next) {
    size.set(0);
    return Status.SUCCESS;
  }
  const bytes = fileInfo(fw, next);
  const room = size.value;
  size.set(bytes.length);
  if (room < bytes.length) return Status.BUFFER_TOO_SMALL;
  call.write(at, bytes);
  open.entry++;
  return Status.SUCCESS;
}

const Read = service('File.Read', [buffer('This'), inOut64('BufferSize'), pointer('Buffer')], (call, self, size, at) => {
  const { fw } = call;
  const open = requireFile(fw, self);
  if (open.directory) return readDirectory(call, open, size, at);
  const entry = entryOf(fw, open);
  if (open.position > entry.size) return Status.DEVICE_ERROR;
  const bytes = onHost(fw, open.path, () => directoryOf(fw).read(open.path, open.position, Math.min(size.value, entry.size - open.position)));
  if (bytes.length > 0 && at === 0n) throw invalid();
  call.write(at, bytes);
  size.set(bytes.length);
  open.position += bytes.length;
  return Status.SUCCESS;
});

const Write = service('File.Write', [buffer('This'), inOut64('BufferSize'), pointer('Buffer')], (call, self, size, at) => {
  const { fw } = call;
  const open = requireFile(fw, self);
  if (open.directory) return Status.UNSUPPORTED;
  const writer = writerOf(fw);
  if (!open.writable) return Status.ACCESS_DENIED;
  const bytes = call.read(at, size.value);
  onHost(fw, open.path, () => writer.write(open.path, open.position, bytes));
  open.position += bytes.length;
  return Status.SUCCESS;
});

const GetPosition = service('File.GetPosition', [buffer('This'), out64('Position')], ({ fw }, self, position) => {
  const open = requireFile(fw, self);
  if (open.directory) return Status.UNSUPPORTED;
  position.set(open.position);
  return Status.SUCCESS;
});

const END_OF_FILE = 0xffff_ffff_ffff_ffffn;

const SetPosition = service('File.SetPosition', [buffer('This'), u64('Position')], ({ fw }, self, position) => {
  const open = requireFile(fw, self);
  if (open.directory) {
    if (position !== 0n) return Status.UNSUPPORTED;
    open.entry = 0;
    return Status.SUCCESS;
  }
  open.position = position === END_OF_FILE ? entryOf(fw, open).size : Number(position);
  return Status.SUCCESS;
});

const GetInfo = service(
  'File.GetInfo',
  [buffer('This'), guid('InformationType'), inOut64('BufferSize'), pointer('Buffer')],
  (call, self, type, size, at) => {
    const { fw } = call;
    const open = requireFile(fw, self);
    let bytes: Uint8Array;
    if (type === Guids.fileInfo) bytes = fileInfo(fw, entryOf(fw, open));
    else if (type === Guids.fileSystemInfo) bytes = fileSystemInfo(fw);
    else if (type === Guids.fileSystemVolumeLabel) bytes = utf16Bytes(volumeLabel(fw));
    else return Status.UNSUPPORTED;
    const room = size.value;
    size.set(bytes.length);
    if (room < bytes.length) return Status.BUFFER_TOO_SMALL;
    if (at === 0n) throw invalid();
    call.write(at, bytes);
    return Status.SUCCESS;
  },
);

/** Size and name of a file can be changed; times and attributes are the host's. */
const SetInfo = service(
  'File.SetInfo',
  [buffer('This'), guid('InformationType'), uintn('BufferSize'), buffer('Buffer')],
  (call, self, type, size, at) => {
    const { fw } = call;
    const open = requireFile(fw, self);
    if (type !== Guids.fileInfo)
      return type === Guids.fileSystemInfo || type === Guids.fileSystemVolumeLabel ? Status.WRITE_PROTECTED : Status.UNSUPPORTED;
    const writer = writerOf(fw);
    if (size < 82 || size > 0x1000) return Status.BAD_BUFFER_SIZE;
    const info = call.read(at, size);
    const entry = entryOf(fw, open);
    const newSize = Number(new DataView(info.buffer, info.byteOffset).getBigUint64(8, true));
    const name = utf16Text(info.subarray(80));
    if (newSize !== entry.size && (open.directory || !open.writable)) return Status.ACCESS_DENIED;
    if (newSize !== entry.size) onHost(fw, open.path, () => writer.truncate(open.path, newSize));
    if (name === '' || name === entry.name || open.path === '') return Status.SUCCESS;
    const parts = splitName(open.path.split('/').slice(0, -1).join('/'), name);
    if (!parts || parts.length === 0) throw invalid();
    if (onHost(fw, name, () => findFile(directoryOf(fw), parts))) return Status.ACCESS_DENIED;
    onHost(fw, open.path, () => writer.rename(open.path, parts.join('/')));
    open.path = parts.join('/');
    return Status.SUCCESS;
  },
);

const Flush = service('File.Flush', [buffer('This')], ({ fw }, self) => {
  requireFile(fw, self);
  return Status.SUCCESS;
});

/** EFI_FILE_PROTOCOL in the order of its members; revision 1 ends with Flush. */
export const file: readonly Service[] = [Open, Close, Delete, Read, Write, GetPosition, SetPosition, GetInfo, SetInfo, Flush];
