import type { Guest } from './build-guest.ts';
import type { Emulator } from './emulators/emulator.ts';
import type { ClockName } from './kernel-table.ts';
import { cpuSecondsOf, endGroup, peakMiB } from './processes.ts';

/** One emulator's run of one kernel. */
export interface Measurement {
  readonly emulator: string;
  readonly kernel: string;
  /** Of the kernel's unit, a second of wall clock, and of processor time of the emulator's process. */
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly batches: number;
  readonly seconds: number;
  /** Instructions of a batch, where the emulator counts them. */
  readonly instructions?: number;
  /** Most memory resident. */
  readonly peakMiB: number;
}

interface Batch {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly instructions: number | undefined;
}

/** Seconds not counted at the beginning of a warm kernel: caches fill, and V8 compiles the interpreter. */
const warmUp = (emulator: Emulator, guest: Guest): number => (guest.kernel.cold ? 0 : emulator.name === 'vmxscope' ? 1 : 0.2);
const PATIENCE = 30;

/** Times the guest's batches by its B and E until `seconds` of them were seen. */
export async function measure(emulator: Emulator, guest: Guest, seconds: number, clock: ClockName): Promise<Measurement> {
  const { child, serial } = emulator.start(guest);
  const pid = child.pid!;
  const batches: Batch[] = [];
  let operations = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      const patience = setTimeout(() => (batches.length > 0 ? resolve() : reject(new Error(`${emulator.name}: no batch of ${guest.kernel.name} ended within ${PATIENCE} s`))), PATIENCE * 1000); // prettier-ignore
      let text = '';
      let started = 0;
      let cpuStarted = 0;
      let startedAt: number | undefined;
      let running = false;
      let measured = 0;
      child.on('error', reject);
      child.on('exit', (status, signal) => reject(new Error(`${emulator.name} ended with ${signal ?? `status ${status}`} in ${guest.kernel.name}`)));
      serial.setEncoding('latin1').on('data', (chunk: string) => {
        const now = Number(process.hrtime.bigint()) / 1e9;
        const cpu = cpuSecondsOf(pid);
        text += chunk;
        for (
          let event: RegExpExecArray | null;
          (event = /^(\d+)\r?\n|^B(?:(\d+)\n)?|^E(?:(\d+)\n)?|^F/.exec(text));
          text = text.slice(event[0].length)
        ) {
          if (event[1] !== undefined) operations = Number(event[1]);
          else if (event[0] === 'F') reject(new Error(`${emulator.name}: ${guest.kernel.name} failed in the guest`));
          else if (event[0].startsWith('B')) {
            running = true;
            started = now;
            cpuStarted = cpu;
            startedAt = event[2] === undefined ? undefined : Number(event[2]);
          } else if (running) {
            running = false;
            const count = event[3] === undefined || startedAt === undefined ? undefined : Number(event[3]) - startedAt;
            batches.push({ seconds: now - started, cpuSeconds: cpu - cpuStarted, instructions: count });
            measured += clock === 'wall' ? now - started : cpu - cpuStarted;
            if (measured >= seconds + warmUp(emulator, guest)) {
              clearTimeout(patience);
              resolve();
            }
          }
        }
      });
    });
    return summary(emulator, guest, operations, batches, peakMiB(pid), clock);
  } finally {
    child.removeAllListeners('exit');
    endGroup(pid);
    serial.destroy();
  }
}

function summary(emulator: Emulator, guest: Guest, operations: number, all: readonly Batch[], peak: number, clock: ClockName): Measurement {
  let batches = all;
  const warm = warmUp(emulator, guest);
  for (let seen = 0; batches.length > 1 && seen < warm; batches = batches.slice(1))
    seen += clock === 'wall' ? batches[0]!.seconds : batches[0]!.cpuSeconds;
  const total = (of: (b: Batch) => number): number => batches.reduce((sum, b) => sum + of(b), 0);
  const done = operations * batches.length;
  const instructions = batches[0]?.instructions;
  return {
    emulator: emulator.name,
    kernel: guest.kernel.name,
    perSecond: done / total((b) => b.seconds),
    perCpuSecond: done / total((b) => b.cpuSeconds),
    batches: batches.length,
    seconds: total((b) => b.seconds),
    peakMiB: peak,
    ...(instructions !== undefined && { instructions: Math.round(total((b) => b.instructions!) / batches.length) }),
  };
}
