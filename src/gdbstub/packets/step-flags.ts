import { parseCount } from '../wire/encoding.ts';
import { Errno, failText, type Packet } from './packet.ts';

/** QEMU's single-step flags: whether interrupts and timers hold still during a step. pwndbg knows a machine by `ENABLE=`. */
export const stepBitsPacket: Packet = {
  name: 'qqemu.sstepbits',
  doc: { packet: 'qqemu.sstepbits', purpose: 'the flags that qqemu.sstep knows' },
  available: (target) => target.stepFlags !== undefined,
  handle: (session) =>
    Object.entries(session.target.stepFlags!.supported)
      .map(([name, bit]) => `${name}=${bit.toString(16)}`)
      .join(','),
};
export const stepFlagsGetPacket: Packet = {
  name: 'qqemu.sstep',
  doc: { packet: 'qqemu.sstep', purpose: 'the single-step flags in force' },
  available: (target) => target.stepFlags !== undefined,
  handle: (session) => `0x${session.target.stepFlags!.get().toString(16)}`,
};
export const stepFlagsSetPacket: Packet = {
  name: 'Qqemu.sstep',
  doc: { packet: 'Qqemu.sstep=flags', purpose: 'set the single-step flags' },
  available: (target) => target.stepFlags !== undefined,
  handle: (session, args) => {
    const flags = parseCount(args.replace(/^0x/, ''));
    return flags !== undefined && session.target.stepFlags!.set(flags) ? 'OK' : failText(Errno.EINVAL, 'unknown single-step flags');
  },
};
