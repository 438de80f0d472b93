// npm run bench: the same guest programs on vmxscope, Debian's Bochs and QEMU, and natively; then boot, stub and memory of
// this checkout. Other programs on the machine disturb the figures; ratios within one run are what can be compared.
import { parseArgs } from 'node:util';
import { boot } from './boot.ts';
import type { Boot } from './boot.ts';
import { GuestBuilder, missingTool } from './build-guest.ts';
import { bochs } from './emulators/bochs.ts';
import { native } from './emulators/native.ts';
import { qemu } from './emulators/qemu.ts';
import { vmxscope } from './emulators/vmxscope.ts';
import { columns, note, row } from './kernel-table.ts';
import type { ClockName, KernelResult } from './kernel-table.ts';
import { kernels } from './kernels.ts';
import { measure } from './measure.ts';
import type { Measurement } from './measure.ts';
import { soak } from './soak.ts';
import { stubSpeeds } from './stub.ts';

const usage = `npm run bench -- [options]
  --only NAMES     these kernels, groups or parts (${[...new Set(kernels.map((k) => k.group))].join(', ')}, boot, stub; comma between)
  --on NAMES       these of vmxscope, bochs, qemu, native
  --seconds N      to measure each kernel (2)
  --clock cpu      the time on a processor, not the wall's: for a machine that is busy otherwise
  --json           one JSON object
  --esp DIR        also boots this ESP to its vmlaunch
  --soak SECONDS   only: runs for so long and reports the memory resident; status 1 when it grows
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    on: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'boolean', default: false },
    esp: { type: 'string' },
    soak: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const clock = values.clock as ClockName;
const only = values.only?.split(',');
const wanted = (...names: string[]): boolean => only === undefined || names.some((n) => only.includes(n));
const print = (line: string): void => void process[values.json ? 'stderr' : 'stdout'].write(`${line}\n`);
const fact = (name: string, value: string): void => print(`${name.padEnd(44)} ${value}`);

async function kernelResults(): Promise<KernelResult[]> {
  const chosen = kernels.filter((k) => k.group !== 'soak' && wanted(k.name, k.group));
  if (chosen.length === 0) return [];
  const tool = missingTool();
  if (tool !== undefined) {
    print(`the kernels are left out: ${tool} is not installed (Debian: apt install gcc binutils)`);
    return [];
  }
  const on = values.on?.split(',');
  const emulators = [vmxscope, bochs, qemu, native].filter((e) => {
    if (on && !on.some((name) => e.name.toLowerCase().startsWith(name))) return false;
    const reason = e.missing();
    if (reason !== undefined) print(`${e.name} is left out: ${reason}`);
    return reason === undefined;
  });
  const builder = new GuestBuilder();
  const results: KernelResult[] = [];
  const widths = [10, 9, 9, 9, 9, 8, 8, 8, 12];
  const line = (cells: readonly string[]): void =>
    print(cells.map((c, n) => (n === 0 || n === 8 ? c.padEnd(widths[n]!) : c.padStart(widths[n]!))).join(' '));
  line(columns);
  try {
    for (const kernel of chosen) {
      const guest = builder.build(kernel);
      const measurements: Measurement[] = [];
      for (const emulator of emulators) {
        if (emulator.refuses(guest) !== undefined) continue;
        try {
          measurements.push(await measure(emulator, guest, Number(values.seconds), clock));
        } catch (e) {
          print(`${(e as Error).message}`);
        }
      }
      results.push({ kernel, measurements });
      line(row(results.at(-1)!, clock));
    }
  } finally {
    builder.dispose();
  }
  print('');
  for (const result of results) print(note(result, clock));
  print(
    '"/ Bochs": how many times as fast as Bochs vmxscope is. QEMU runs with -accel tcg; it has no VMX. "native /": how many times as fast native is.',
  );
  return results;
}

function printBoot(name: string, b: Boot): void {
  fact(`${name}: reset to vmlaunch`, `${b.instructions.toLocaleString('en')} instructions, ${b.seconds.toFixed(2)} s`);
  fact(`${name}: process start to vmlaunch`, `${b.processSeconds.toFixed(2)} s`);
  fact(`${name}: peak memory`, `${b.peakMiB} MiB, guest RAM that was touched included`);
}

async function main(): Promise<number> {
  if (values.help || (clock !== 'wall' && clock !== 'cpu') || !(Number(values.seconds) > 0)) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  if (values.soak !== undefined) return (await soak(Number(values.soak), print)) ? 0 : 1;
  const results = await kernelResults();
  const boots: Record<string, Boot> = {};
  if (wanted('boot')) boots['embedded guest'] = await boot([]);
  if (wanted('boot') && values.esp !== undefined) boots[values.esp] = await boot(['--esp', values.esp]);
  for (const [name, b] of Object.entries(boots)) printBoot(name, b);
  const stub = wanted('stub') ? await stubSpeeds() : undefined;
  if (stub) {
    fact('stub, single steps', `${Math.round(stub.stepsPerSecond).toLocaleString('en')}/s`);
    fact('stub, breakpoint stops', `${Math.round(stub.stopsPerSecond).toLocaleString('en')}/s`);
    fact('stub, memory reads', `${stub.readMegabytesPerSecond.toFixed(0)} MB/s`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ kernels: results, boots, stub })}\n`);
  return 0;
}

process.exit(await main());
