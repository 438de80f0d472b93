import { GuestBuilder } from './build-guest.ts';
import { vmxscope } from './emulators/vmxscope.ts';
import { kernels } from './kernels.ts';
import { endGroup, residentMiB } from './processes.ts';

const SAMPLES = 30;
/** What grew after the first tenth of the run: caches fill up in it. */
const TOLERATED_MIB = 16;

/** Runs the mix of much code for a long time and reports the memory resident. True when it did not grow. */
export async function soak(seconds: number, print: (line: string) => void): Promise<boolean> {
  const builder = new GuestBuilder();
  const guest = builder.build(kernels.find((k) => k.name === 'soak')!);
  const { child, serial } = vmxscope.start(guest);
  serial.resume();
  const samples: number[] = [];
  try {
    for (let n = 1; n <= SAMPLES; n++) {
      await new Promise((resolve) => setTimeout(resolve, (seconds * 1000) / SAMPLES));
      if (child.exitCode !== null) throw new Error(`vmxscope ended with status ${child.exitCode}`);
      samples.push(residentMiB(child.pid!));
      print(`after ${Math.round((n * seconds) / SAMPLES)} s: ${samples.at(-1)!.toFixed(0)} MiB resident`);
    }
  } finally {
    endGroup(child.pid!);
    builder.dispose();
  }
  const growth = Math.max(...samples.slice(SAMPLES / 2)) - Math.max(...samples.slice(SAMPLES / 10, SAMPLES / 2));
  print(`the second half of the run needed ${growth.toFixed(1)} MiB more than the first`);
  return growth <= TOLERATED_MIB;
}
