import type { Target } from '../target.ts';
import type { Packet, PacketDoc } from './packet.ts';
import { attachPacket, attachedPacket } from './attach.ts';
import { continuePacket, continueSignalPacket, stepPacket, stepSignalPacket } from './continue-step.ts';
import { breakpointInsertPacket, breakpointRemovePacket } from './breakpoints.ts';
import { detachPacket } from './detach.ts';
import { execFilePacket } from './exec-file.ts';
import { extendedModePacket, restartPacket, runPacket } from './extended.ts';
import { featuresPacket } from './features.ts';
import { killPacket, vKillPacket } from './kill.ts';
import { librariesPacket } from './libraries.ts';
import { memoryMapPacket } from './memory-map.ts';
import { memoryReadPacket } from './memory-read.ts';
import { memoryReadBinaryPacket } from './memory-read-binary.ts';
import { memoryWritePacket } from './memory-write.ts';
import { memoryWriteBinaryPacket } from './memory-write-binary.ts';
import { monitorPacket } from './monitor.ts';
import { mustReplyEmptyPacket } from './must-reply-empty.ts';
import { noAckPacket } from './no-ack.ts';
import { offsetsPacket } from './offsets.ts';
import { physicalModeGetPacket, physicalModeSetPacket, qemuSupportedPacket } from './physical-mode.ts';
import { registerReadPacket } from './register-read.ts';
import { registerWritePacket } from './register-write.ts';
import { registersReadPacket } from './registers-read.ts';
import { registersWritePacket } from './registers-write.ts';
import { stepBitsPacket, stepFlagsGetPacket, stepFlagsSetPacket } from './step-flags.ts';
import { stopReasonPacket } from './stop-reason.ts';
import { supportedPacket } from './supported.ts';
import { symbolPacket } from './symbol.ts';
import { threadAlivePacket, currentThreadPacket, selectThreadPacket } from './thread-select.ts';
import { threadExtraInfoPacket, threadsFirstPacket, threadsMorePacket, threadsXmlPacket } from './thread-list.ts';
import { traceStatusPacket } from './trace-status.ts';
import { vContPacket, vContQueryPacket } from './vcont.ts';
import { fileClosePacket, fileFstatPacket, fileOpenPacket, filePreadPacket, fileReadlinkPacket, fileSetfsPacket } from './files.ts';

/** Every packet the stub knows. A packet is added by a file in this folder and a row here; documentation follows. */
const packets: readonly Packet[] = [
  supportedPacket,
  stopReasonPacket,
  registersReadPacket,
  registersWritePacket,
  registerReadPacket,
  registerWritePacket,
  memoryReadPacket,
  memoryWritePacket,
  memoryWriteBinaryPacket,
  memoryReadBinaryPacket,
  continuePacket,
  continueSignalPacket,
  stepPacket,
  stepSignalPacket,
  vContQueryPacket,
  vContPacket,
  breakpointInsertPacket,
  breakpointRemovePacket,
  selectThreadPacket,
  threadAlivePacket,
  currentThreadPacket,
  threadsFirstPacket,
  threadsMorePacket,
  threadExtraInfoPacket,
  threadsXmlPacket,
  noAckPacket,
  featuresPacket,
  memoryMapPacket,
  librariesPacket,
  execFilePacket,
  fileSetfsPacket,
  fileOpenPacket,
  filePreadPacket,
  fileFstatPacket,
  fileClosePacket,
  fileReadlinkPacket,
  monitorPacket,
  attachedPacket,
  attachPacket,
  detachPacket,
  killPacket,
  vKillPacket,
  mustReplyEmptyPacket,
  offsetsPacket,
  symbolPacket,
  traceStatusPacket,
  qemuSupportedPacket,
  physicalModeGetPacket,
  physicalModeSetPacket,
  stepBitsPacket,
  stepFlagsGetPacket,
  stepFlagsSetPacket,
  extendedModePacket,
  restartPacket,
  runPacket,
];

const byName = new Map(packets.map((p) => [p.name, p]));
if (byName.size !== packets.length) throw new Error('two packets have the same name');

/** Rows of the packet table in docs/gdb.md. */
export const packetDocs: readonly PacketDoc[] = packets.map((p) => p.doc);

/** Entries of the reply to qSupported, for what the target has. */
export function supportedFeatures(target: Target): string[] {
  return packets.filter((p) => p.feature !== undefined && (p.available?.(target) ?? true)).map((p) => p.feature!);
}

/**
 * The packet of a payload and its arguments. Packets of one letter are followed by their arguments at once; names that
 * begin with q, Q or v end at the first of `:;,=` (gdb manual: General Query Packets), those of qXfer and vFile at the second.
 */
export function findPacket(payload: string, target: Target): { readonly packet: Packet; readonly args: string } | undefined {
  const first = payload[0];
  if (first === undefined) return undefined;
  let end = 1;
  if (first === 'q' || first === 'Q' || first === 'v') {
    end = nameEnd(payload, 0);
    const family = payload.slice(0, end);
    if (family === 'qXfer' || family === 'vFile') end = nameEnd(payload, end + 1);
  }
  const packet = byName.get(payload.slice(0, end));
  if (!packet || packet.available?.(target) === false) return undefined;
  return { packet, args: payload.slice(end === 1 ? 1 : end + 1) };
}

function nameEnd(payload: string, from: number): number {
  for (let i = from; i < payload.length; i++) {
    const c = payload[i]!;
    if (c === ':' || c === ';' || c === ',' || c === '=') return i;
  }
  return payload.length;
}
