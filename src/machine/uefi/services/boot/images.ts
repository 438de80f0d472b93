import { bool, optionalOut64, out64, pointer, u64, uintn } from '../../call/arguments.ts';
import type { Call } from '../../call/call.ts';
import { service, TRANSFERRED } from '../../call/service.ts';
import { EventType } from '../../constants.ts';
import { probeCall } from '../../events/context.ts';
import { finishWithDispatch } from '../../events/dispatch.ts';
import { signalGroup } from '../../events/events.ts';
import { stopTick } from '../../boot/timer.ts';
import { Guids } from '../../guids.ts';
import { interfaceAddress, requireHandle } from '../../handles/database.ts';
import { decodePath, fileOfNodes, startsWith, type PathNode } from '../../handles/device-path.ts';
import { readWholeFile } from '../../files/volume.ts';
import { discardImage, LoadedImage, loadImage } from '../../images/loader.ts';
import { enterImage, enterUnload, frameOf, leaveImage } from '../../images/start.ts';
import { Refusal, Status, invalid } from '../../status.ts';
import type { ImageEntry } from '../../state.ts';

/** Image services: UEFI 2.10, 7.4. */

const MAX_SOURCE = 0x4000_0000;

interface Located {
  readonly device: number;
  readonly deviceNodes: readonly PathNode[];
  readonly file: string | undefined;
}

/** The file system that a device path begins with, and the file that the rest names. */
function locateFile(call: Call, at: bigint): Located {
  const { state, memory, options } = call.fw;
  const path = decodePath((offset, length) => call.read(at + BigInt(offset), length));
  if (!path) throw invalid('device path');
  for (const h of options.directory ? state.handles : []) {
    if (interfaceAddress(state, h.handle, Guids.simpleFileSystem) === undefined) continue;
    const own = interfaceAddress(state, h.handle, Guids.devicePath);
    const nodes = own && decodePath((offset, length) => memory.read(own + offset, length))?.nodes;
    if (nodes && startsWith(path.nodes, nodes)) return { device: h.handle, deviceNodes: nodes, file: fileOfNodes(path.nodes.slice(nodes.length)) };
  }
  return { device: 0, deviceNodes: path.nodes, file: undefined };
}

export const LoadImage = service(
  'LoadImage',
  [bool('BootPolicy'), uintn('ParentImageHandle'), pointer('DevicePath'), pointer('SourceBuffer'), uintn('SourceSize'), out64('ImageHandle')],
  (call, _policy, parent, path, source, size, result) => {
    const { fw } = call;
    if (!fw.state.images.some((i) => i.handle === parent)) throw invalid('parent image');
    if (path === 0n && source === 0n) return Status.NOT_FOUND;
    if (source !== 0n && (size === 0 || size > MAX_SOURCE)) return Status.LOAD_ERROR;
    const where = path === 0n ? { device: 0, deviceNodes: [], file: undefined } : locateFile(call, path);
    let bytes: Uint8Array;
    if (source !== 0n) bytes = call.read(source, size).slice();
    else {
      const file = where.file === undefined ? undefined : readWholeFile(fw, where.file);
      if (!file) return Status.NOT_FOUND;
      bytes = file.bytes;
    }
    const name = where.file === undefined ? 'image from memory' : where.file.slice(where.file.lastIndexOf('\\') + 1);
    try {
      const image = loadImage(fw, { bytes, name, path: where.file, device: where.device, deviceNodes: where.deviceNodes, parent });
      result.set(image.handle);
      return Status.SUCCESS;
    } catch (e) {
      if (e instanceof Refusal && e.reason !== '') fw.machine.log(`LoadImage ${name}: ${e.reason}`);
      throw e;
    }
  },
);

function requireImage(call: Call, handle: number): ImageEntry {
  const image = call.fw.state.images.find((i) => i.handle === handle);
  if (!image) throw invalid('not an image handle');
  return image;
}

export const StartImage = service('StartImage', [uintn('ImageHandle'), optionalOut64('ExitDataSize'), optionalOut64('ExitData')], (call, handle) => {
  const image = requireImage(call, handle);
  if (image.started) throw invalid('started already');
  probeCall(call.fw, call.cpu, call.stack);
  return enterImage(call.fw, call.cpu, image, call.returnTo, call.stack + 8n, call.argument(1), call.argument(2));
});

export const Exit = service(
  'Exit',
  [uintn('ImageHandle'), u64('ExitStatus'), uintn('ExitDataSize'), u64('ExitData')],
  (call, handle, status, size, data) => {
    const { fw, cpu } = call;
    const image = requireImage(call, handle);
    if (!image.started) {
      discardImage(fw, image);
      return Status.SUCCESS;
    }
    const frame = frameOf(fw, handle);
    if (!frame || fw.state.currentImage !== handle) throw invalid('not the image that runs');
    leaveImage(fw, cpu, frame, status, BigInt(size), data);
    return TRANSFERRED;
  },
);

export const UnloadImage = service('UnloadImage', [uintn('ImageHandle')], (call, handle) => {
  const { fw } = call;
  const image = requireImage(call, handle);
  if (frameOf(fw, handle)) throw new Refusal(Status.UNSUPPORTED, 'the image runs');
  if (!image.started) {
    discardImage(fw, image);
    return Status.SUCCESS;
  }
  if (fw.memory.u64(image.protocol + LoadedImage.unload) === 0n) return Status.UNSUPPORTED;
  probeCall(fw, call.cpu, call.stack);
  return enterUnload(call, image);
});

/**
 * ExitBootServices: UEFI 2.10, 7.4.6. The groups' notifications run, then only runtime services answer. The tick stops; what it
 * leaves in memory is the operating system's to overwrite.
 */
export const ExitBootServices = service('ExitBootServices', [uintn('ImageHandle'), uintn('MapKey')], (call, handle, key) => {
  const { fw } = call;
  const { state } = fw;
  requireHandle(state, handle);
  if (key !== state.map.key) throw invalid('map key');
  probeCall(fw, call.cpu, call.stack);
  stopTick(fw);
  for (const e of state.events) e.due = null;
  state.watchdog = null;
  signalGroup(state, Guids.eventBeforeExitBootServices);
  signalGroup(state, Guids.eventExitBootServices);
  state.exited = true;
  fw.dropBootMembers();
  state.events = state.events.filter((e) => (e.type & EventType.runtime) !== 0 || state.queue.includes(e.event));
  return finishWithDispatch(call, Status.SUCCESS);
});
