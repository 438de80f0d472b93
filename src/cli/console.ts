import { closeSync, openSync, writeSync } from 'node:fs';
import type { Machine } from '../machine/machine.ts';
import { UserError } from './errors.ts';

/** Where the guest's serial port and the firmware's console go. */
export interface SerialSink {
  write(bytes: Uint8Array): void;
  close(): void;
  /** The guest left its line on the terminal unfinished. */
  midLine(): boolean;
}

/** Parses `--serial stdio|file:PATH|none` and opens it. */
export function openSerial(spec: string): SerialSink {
  const elsewhere = { midLine: () => false };
  if (spec === 'none') return { write: () => {}, close: () => {}, ...elsewhere };
  if (spec === 'stdio') {
    let last = 10;
    const write = (bytes: Uint8Array): void => {
      last = bytes.at(-1) ?? last;
      process.stdout.write(bytes);
    };
    return { write, close: () => {}, midLine: () => last !== 10 };
  }
  const path = /^file:(.+)$/.exec(spec)?.[1];
  if (path === undefined) throw new UserError(`--serial ${spec}: expected stdio, file:PATH or none`, 2);
  let file: number;
  try {
    file = openSync(path, 'w');
  } catch (e) {
    throw new UserError(`--serial ${spec}: cannot write ${path}: ${(e as Error).message}`);
  }
  return { write: (bytes) => void writeSync(file, bytes), close: () => closeSync(file), ...elsewhere };
}

const CTRL_A = 1;
const CTRL_C = 3;

/**
 * Connects the terminal's keys to the machine: to the firmware's console while it is there, then to the serial port. On a
 * terminal Ctrl-A X ends the run, as in QEMU, and Ctrl-C does too.
 */
export function connectKeys(machine: Machine, onKey: () => void, onQuit: (how: 'Ctrl-A X' | 'Ctrl-C') => void): () => void {
  const { stdin } = process;
  let escaped = false;
  const raw = stdin.isTTY === true;
  const receive = (data: Buffer): void => {
    const keys: number[] = [];
    for (const byte of data) {
      if (raw && byte === CTRL_C) return onQuit('Ctrl-C');
      if (raw && escaped) {
        escaped = false;
        if (byte === 0x78 || byte === 0x58) return onQuit('Ctrl-A X');
        keys.push(byte);
      } else if (raw && byte === CTRL_A) escaped = true;
      else keys.push(!raw && byte === 10 ? 13 : byte);
    }
    const bytes = Uint8Array.from(keys);
    if (machine.firmware && !machine.firmware.state.exited) machine.firmware.key(bytes);
    else machine.devices.com1.receive(bytes);
    onKey();
  };
  if (raw) stdin.setRawMode(true);
  stdin.on('data', receive);
  return () => {
    stdin.off('data', receive);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
  };
}
