// A machine that runs an endless loop behind the stub, for the stub's benchmark. Prints its port.
import { MachineTarget } from '../../src/gdbstub/machine/machine-target.ts';
import { GdbServer } from '../../src/gdbstub/server.ts';
import { listen } from '../../src/gdbstub/transports/index.ts';
import { bareMachine, CODE } from '../../test/support/bare-machine.ts';

const machine = bareMachine();
// 1: inc eax; add rbx, rax; jmp 1b
machine.memory.poke(CODE, Uint8Array.from([0xff, 0xc0, 0x48, 0x01, 0xc3, 0xeb, 0xf9]));
const target = new MachineTarget(machine);
const server = new GdbServer({ target, machine: target, stopEvent: (reason, client) => target.stopEvent(reason, client) });
const listener = await listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, (connection) => server.connect(connection));
process.stdout.write(`${listener!.address}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
