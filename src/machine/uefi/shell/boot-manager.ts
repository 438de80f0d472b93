import type { Call } from '../call/call.ts';
import { Gpr } from '../call/call.ts';
import { TRANSFERRED, type Result } from '../call/service.ts';
import { Tpl } from '../constants.ts';
import { print, printLine } from '../console/output.ts';
import type { FirmwareContext } from '../context.ts';
import { probeCall, setInterrupts } from '../events/context.ts';
import { enterImage } from '../images/start.ts';
import { revisionText } from '../images/loader.ts';
import { readWholeFile } from '../files/volume.ts';
import { isError, statusName } from '../status.ts';
import { execute } from './execute.ts';
import { editLine } from './line-editor.ts';
import { prepareImage } from './run-image.ts';

/**
 * The boot manager (UEFI 2.10, chapter 3) and the shell behind it, one step a trap: where firmware code would loop, RIP stays
 * at the trap or goes to the idle stub and comes back. Its only state is `state.shell`. Order: the image given, or
 * startup.nsh, or EFI\BOOT\BOOTX64.EFI (3.5.1.1); then the shell.
 */
export const FALLBACK_IMAGE = '\\EFI\\BOOT\\BOOTX64.EFI';
export const STARTUP_SCRIPT = '\\startup.nsh';

export function bootManager(call: Call): Result {
  const { fw, cpu } = call;
  const { shell } = fw.state;
  if (fw.state.exited) {
    fw.machine.log('an image returned to the firmware after ExitBootServices: the processor stops');
    cpu.rip = BigInt(fw.stub('halt'));
    return TRANSFERRED;
  }
  const stack = BigInt(fw.layout.stack.base + fw.layout.stack.length);
  probeCall(fw, cpu, stack);
  cpu.rsp = stack;
  cpu.rip = BigInt(fw.slot('BootManager'));
  fw.state.tpl = Tpl.application;
  setInterrupts(cpu, true);
  if (shell.running !== null) {
    const status = cpu.gpr(Gpr.rax);
    if (isError(status)) printLine(fw, `${shell.running}: ${statusName(status)}`);
    shell.running = null;
  }
  const image = step(fw);
  if (image === 'wait') cpu.rip = BigInt(fw.stub('idle BootManager'));
  else if (image) {
    fw.machine.probe?.firmwareCall?.(cpu, 'StartImage', [BigInt(image.handle), 0n, 0n]);
    enterImage(fw, cpu, image, cpu.rip, cpu.rsp);
  }
  return TRANSFERRED;
}

type Step = ReturnType<typeof prepareImage> | 'wait';

function step(fw: FirmwareContext): Step {
  const { shell } = fw.state;
  if (shell.phase === 'power-on') {
    shell.phase = 'command';
    return boot(fw);
  }
  if (shell.phase === 'command') {
    const line = shell.script.shift();
    if (line !== undefined) return execute(fw, line);
    print(fw, `fs0:${shell.cwd}> `.replace(/^fs0:/, fw.options.directory ? 'FS0:' : 'Shell'));
    shell.phase = 'read-line';
    shell.line = '';
  }
  if (shell.phase === 'halted') return 'wait';
  const line = editLine(fw);
  if (line === undefined) return 'wait';
  shell.phase = 'command';
  return execute(fw, line);
}

function boot(fw: FirmwareContext): Step {
  const { image, directory } = fw.options;
  printLine(fw, `vmxscope: built-in UEFI ${revisionText}, ${Math.floor(fw.machine.memory.ramSize / 2 ** 20)} MiB, ${fw.machine.cpus.length} CPU(s)`);
  if (image) return prepareImage(fw, image.path, [image.path, image.arguments].filter((s) => s !== undefined && s !== '').join(' '));
  if (!directory) return undefined;
  const script = readWholeFile(fw, STARTUP_SCRIPT);
  if (script) {
    fw.state.shell.script = new TextDecoder(script.bytes[0] === 0xff && script.bytes[1] === 0xfe ? 'utf-16le' : 'utf-8')
      .decode(script.bytes)
      .split(/\r?\n/);
    return undefined;
  }
  return readWholeFile(fw, FALLBACK_IMAGE) ? prepareImage(fw, FALLBACK_IMAGE, FALLBACK_IMAGE) : undefined;
}
