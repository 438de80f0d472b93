import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const vmxscope = fileURLToPath(new URL('../../bin/vmxscope.mjs', import.meta.url));

export interface Boot {
  readonly instructions: number;
  /** From the start of the process until it reported vmlaunch. */
  readonly processSeconds: number;
  /** From reset. */
  readonly seconds: number;
  readonly peakMiB: number;
}

/** Boots to the first vmlaunch in a process of its own. */
export function boot(machineArguments: readonly string[]): Promise<Boot> {
  const started = process.hrtime.bigint();
  const child = spawn(process.execPath, [vmxscope, 'run', ...machineArguments, '--serial', 'none', '--until', 'vmlaunch', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (line: string) => {
      const processSeconds = Number(process.hrtime.bigint() - started) / 1e9;
      const report = JSON.parse(line) as Record<string, number>;
      resolve({
        instructions: report['instructions']!,
        seconds: report['seconds']!,
        peakMiB: report['peak memory, MiB']!,
        processSeconds,
      });
    });
    child.on('exit', (status) => reject(new Error(`vmxscope ended with status ${status} before vmlaunch`)));
  });
}
