// npm run bench [-- --esp DIR]: speeds and memory of this checkout on this machine. Other programs on the machine disturb
// the figures; ratios within one run are what can be compared.
import { boot } from './boot.ts';
import type { Boot } from './boot.ts';
import { compiledSpeed, loopSpeeds } from './loops.ts';
import type { Speed } from './loops.ts';
import { stubSpeeds } from './stub.ts';

const print = (name: string, value: string): void => void process.stdout.write(`${name.padEnd(44)} ${value}\n`);
const round = (n: number): string => Math.round(n).toLocaleString('en');

function printSpeed({ name, speed, native }: Speed): void {
  const ratio = native === undefined ? '' : `  (native ${round(native)}: ${(native / speed).toFixed(1)} times as fast)`;
  print(`tier 0, ${name}`, `${round(speed)} M instructions/s${ratio}`);
}

function printBoot(name: string, b: Boot): void {
  print(`${name}: reset to vmlaunch`, `${b.instructions.toLocaleString('en')} instructions, ${b.seconds.toFixed(2)} s`);
  print(`${name}: process start to vmlaunch`, `${b.processSeconds.toFixed(2)} s`);
  print(`${name}: peak memory`, `${b.peakMiB} MiB, guest RAM that was touched included`);
}

for (const speed of loopSpeeds()) printSpeed(speed);
const compiled = compiledSpeed();
if (compiled) printSpeed(compiled);
else print('tier 0, compiled program', 'left out: gcc is not installed');

printBoot('embedded guest', await boot([]));
const esp = process.argv.indexOf('--esp');
if (esp > 0) printBoot(process.argv[esp + 1]!, await boot(['--esp', process.argv[esp + 1]!]));

const stub = await stubSpeeds();
print('stub, single steps', `${round(stub.stepsPerSecond)}/s`);
print('stub, breakpoint stops', `${round(stub.stopsPerSecond)}/s`);
print('stub, memory reads', `${stub.readMegabytesPerSecond.toFixed(0)} MB/s`);
