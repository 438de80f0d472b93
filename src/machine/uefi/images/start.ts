import type { Cpu } from '../../cpu/cpu.ts';
import type { FirmwareContext } from '../context.ts';
import { TRANSFERRED, type Result } from '../call/service.ts';
import { Gpr, type Call } from '../call/call.ts';
import { dispatch } from '../events/dispatch.ts';
import { enterFunction, probeCall, restoreVectors, saveContext, saveVectors } from '../events/context.ts';
import { littleEndian } from '../pack.ts';
import { opaque, type Frame, type ImageEntry } from '../state.ts';
import { isError } from '../status.ts';
import { discardImage, LoadedImage } from './loader.ts';
import { Subsystem } from './pe.ts';

/** Starting images and ending them, by return or by Exit: UEFI 2.10, 7.4. */

type ImageFrame = Frame & { kind: 'image' };

/** Enters an image; `returnTo` and `rsp` are where its starter goes on. The stack below `rsp` was probed. */
export function enterImage(
  fw: FirmwareContext,
  cpu: Cpu,
  image: ImageEntry,
  returnTo: bigint,
  rsp: bigint,
  exitSize = 0n,
  exitData = 0n,
): typeof TRANSFERRED {
  const { state } = fw;
  const context = saveContext(cpu, returnTo, rsp);
  const frame: Omit<ImageFrame, 'sp'> = {
    kind: 'image',
    image: image.handle,
    previous: state.currentImage,
    context,
    vectors: saveVectors(cpu),
    exitSize: opaque(exitSize),
    exitData: opaque(exitData),
    tpl: state.tpl,
  };
  const sp = enterFunction(fw, cpu, rsp, BigInt(image.entry), [BigInt(image.handle), BigInt(fw.layout.runtimeData.base)]);
  image.started = true;
  state.currentImage = image.handle;
  state.frames.push({ ...frame, sp: opaque(sp) });
  return TRANSFERRED;
}

/**
 * An image has ended: its starter gets the status, the exit data, and its own registers back. An application leaves memory,
 * a driver only when it failed (UEFI 2.10, 7.4.3, StartImage).
 */
export function leaveImage(fw: FirmwareContext, cpu: Cpu, frame: ImageFrame, status: bigint, dataSize = 0n, data = 0n): Result {
  const { state } = fw;
  const [sizeAt, dataAt] = [BigInt(frame.exitSize), BigInt(frame.exitData)];
  if (sizeAt !== 0n) fw.access.probe(cpu, sizeAt, 8);
  if (dataAt !== 0n) fw.access.probe(cpu, dataAt, 8);
  probeCall(fw, cpu, BigInt(frame.context.gprs[4]!));
  if (sizeAt !== 0n) fw.access.write(cpu, sizeAt, littleEndian(dataSize, 8));
  if (dataAt !== 0n) fw.access.write(cpu, dataAt, littleEndian(data, 8));

  // What the image started or was called for and did not finish goes with it.
  state.frames = state.frames.slice(0, state.frames.indexOf(frame));
  state.currentImage = frame.previous;
  const image = state.images.find((i) => i.handle === frame.image);
  if (image && (image.subsystem === Subsystem.application || isError(status))) discardImage(fw, image);
  restoreVectors(cpu, frame.vectors);
  frame.context.gprs[Gpr.rax] = opaque(status);
  fw.machine.probe?.firmwareReturn?.(cpu, 'StartImage', status);
  return dispatch(fw, cpu, frame.context, frame.tpl);
}

/** The frame of an image that runs, innermost first. */
export function frameOf(fw: FirmwareContext, image: number): ImageFrame | undefined {
  return fw.state.frames.findLast((f): f is ImageFrame => f.kind === 'image' && f.image === image);
}

/** UnloadImage of a started driver: its Unload function decides. */
export function enterUnload(call: Call, image: ImageEntry): typeof TRANSFERRED {
  const { fw, cpu } = call;
  const context = saveContext(cpu, call.returnTo, call.stack + 8n);
  const sp = enterFunction(fw, cpu, call.stack + 8n, fw.memory.u64(image.protocol + LoadedImage.unload), [BigInt(image.handle)]);
  fw.state.frames.push({ kind: 'unload', sp: opaque(sp), image: image.handle, context });
  return TRANSFERRED;
}
