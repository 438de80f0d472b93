import type { Packet } from './packet.ts';
import { Errno, failText } from './packet.ts';

/** QEMU's own packets, known to gdb front ends for kernels (QEMU manual, GDB usage: advanced options). */
export const qemuSupportedPacket: Packet = {
  name: 'qqemu.Supported',
  doc: { packet: 'qqemu.Supported', purpose: "QEMU's extensions that are known here" },
  handle: (session) => [session.target.stepFlags ? 'sstepbits;sstep' : '', session.target.physicalMode ? 'PhyMemMode' : ''].filter(Boolean).join(';'),
};
export const physicalModeGetPacket: Packet = {
  name: 'qqemu.PhyMemMode',
  doc: { packet: 'qqemu.PhyMemMode', purpose: '1 when memory packets take physical addresses' },
  available: (target) => target.physicalMode !== undefined,
  handle: (session) => (session.target.physicalMode!.get() ? '1' : '0'),
};
export const physicalModeSetPacket: Packet = {
  name: 'Qqemu.PhyMemMode',
  doc: { packet: 'Qqemu.PhyMemMode:0|1', purpose: 'memory packets and new breakpoints take physical addresses' },
  available: (target) => target.physicalMode !== undefined,
  handle: (session, args) => {
    if (args !== '0' && args !== '1') return failText(Errno.EINVAL, 'PhyMemMode is 0 or 1');
    session.target.physicalMode!.set(args === '1');
    return 'OK';
  },
};
