// Runs the guest named on the command line until killed. After each B and E the count of instructions follows.
import { writeSync } from 'node:fs';
import { machineWithGuest } from './load-guest.ts';

const machine = machineWithGuest(process.argv[2]!, (byte) => {
  const letter = String.fromCharCode(byte);
  writeSync(1, letter === 'B' || letter === 'E' ? `${letter}${machine.runner.retiredBy(machine.cpus[0]!)}\n` : letter);
});

function quantum(): void {
  const reason = machine.run(5_000_000);
  if (reason.kind !== 'quantum') throw new Error(`the guest stopped: ${reason.kind}`);
  setImmediate(quantum);
}
quantum();
