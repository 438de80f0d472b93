import { GuestBuilder } from './build-guest.ts';
import { vmxscope } from './emulators/vmxscope.ts';
import { kernels } from './kernels.ts';
import { endGroup, residentMiB } from './processes.ts';

const PERIODS = 30;
/** Of each period. */
const SAMPLES = 20;
/** What grew after the first tenth of the run: caches fill up in it. */
const TOLERATED_MIB = 16;

/**
 * Runs the mix of much code for a long time and reports the memory resident. True when it did not grow. What counts is the
 * lowest figure of each period: on a busy machine garbage is collected late, and the figures between say more of that.
 */
export async function soak(seconds: number, print: (line: string) => void): Promise<boolean> {
  const builder = new GuestBuilder();
  const guest = builder.build(kernels.find((k) => k.name === 'soak')!);
  const { child, serial } = vmxscope.start(guest);
  serial.resume();
  const kept: number[] = [];
  try {
    for (let n = 1; n <= PERIODS; n++) {
      const samples: number[] = [];
      for (let k = 0; k < SAMPLES; k++) {
        await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / PERIODS / SAMPLES));
        if (child.exitCode !== null) throw new Error(`vmxscope ended with status ${child.exitCode}`);
        samples.push(residentMiB(child.pid!));
      }
      kept.push(Math.min(...samples));
      print(`after ${Math.round((n * seconds) / PERIODS)} s: ${Math.min(...samples).toFixed(0)} to ${Math.max(...samples).toFixed(0)} MiB resident`);
    }
  } finally {
    endGroup(child.pid!);
    builder.dispose();
  }
  const growth = Math.max(...kept.slice(PERIODS / 2)) - Math.max(...kept.slice(PERIODS / 10, PERIODS / 2));
  print(`the second half of the run needed ${growth.toFixed(1)} MiB more than the first`);
  return growth <= TOLERATED_MIB;
}
