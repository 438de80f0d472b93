import { refused, type LoadedLibrary, type Target } from '../../src/gdbstub/target.ts';

const PATTERN = Uint8Array.from({ length: 0xf000 }, (_, n) => (n * 7) & 0xff);
const DESCRIPTION = `<target>${'x'.repeat(0x1_8000)}</target>`;

export interface FakeTarget extends Target {
  readonly log: string[];
  readonly libraryList: LoadedLibrary[];
}

/**
 * A target of plain data: two threads, four registers of 8 bytes (number 3 read-only), 64 KiB of memory at 0x1000 whose
 * last page is missing, one file. What is asked of it is in `log`.
 */
export function fakeTarget(): FakeTarget {
  const log: string[] = [];
  const memory = PATTERN.slice();
  const registers = [1, 2].map((t) => Array.from({ length: 4 }, (_, n) => new Uint8Array(8).fill(t * 16 + n)));
  const libraryList: LoadedLibrary[] = [];
  let physical = false;
  let flags = 1;
  const target: FakeTarget = {
    log,
    libraryList,
    threads: { count: () => 2, name: (t) => `cpu${t - 1}`, describe: (t) => `thread <${t}>` },
    registers: {
      description: () => DESCRIPTION,
      expedited: [1],
      readAll: (t) => Buffer.concat(registers[t - 1]!),
      writeAll: (t, bytes) => {
        if (bytes.length !== 32) return refused('wrong size');
        registers[t - 1]!.forEach((r, n) => r.set(bytes.subarray(n * 8, n * 8 + 8)));
        return true;
      },
      read: (t, n) => registers[t - 1]![n],
      write: (t, n, bytes) => {
        if (n === 3) return refused('r3 is read-only');
        if (n > 3) return refused(`no register ${n}`);
        registers[t - 1]![n]!.set(bytes);
        return true;
      },
      setPc: (t, address) => void log.push(`pc ${t} ${address.toString(16)}`),
    },
    memory: {
      read: (_, address, length) => {
        if (address < 0x1000n || address >= 0x1_0000n) return undefined;
        return memory.subarray(Number(address) - 0x1000, Number(address) - 0x1000 + length);
      },
      write: (_, address, bytes) => {
        if (address < 0x1000n || address + BigInt(bytes.length) > 0x1_0000n) return false;
        memory.set(bytes, Number(address) - 0x1000);
        return true;
      },
    },
    breakpoints: {
      insert: (type, address, length) => {
        if (address === 0xdeadn) return refused('no breakpoint there');
        log.push(`insert ${type} ${address.toString(16)} ${length}`);
        return true;
      },
      remove: (type, address, length) => void log.push(`remove ${type} ${address.toString(16)} ${length}`),
      clear: () => void log.push('clear'),
    },
    libraries: { list: () => libraryList },
    execFile: { name: () => '/prog' },
    files: { open: (name) => (name === '/prog' ? Uint8Array.from([0x7f, 0x45, 0x23, 0x24, 0x2a, 0x7d]) : undefined) },
    monitor: {
      execute: (thread, command) =>
        command === 'fail' ? { text: 'it failed', failed: true } : command === 'quit' ? { text: '', quit: true } : { text: `${thread}: ${command}` },
      release: () => void log.push('monitor released'),
    },
    memoryMap: { regions: () => [{ type: 'ram', start: 0n, length: 0x1000n }] },
    physicalMode: { get: () => physical, set: (on) => void (physical = on) },
    stepFlags: { supported: { ENABLE: 1, NOIRQ: 2 }, get: () => flags, set: (f) => (f > 3 ? false : ((flags = f), true)) },
    reset: { reset: () => void log.push('reset') },
    release: () => void log.push('release'),
  };
  return target;
}
