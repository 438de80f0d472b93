import { CpuModelError, parseCpuModel } from '../machine/cpu/models/parse.ts';
import type { CpuModel } from '../machine/cpu/models/model.ts';
import { ExitStatus, UserError } from './errors.ts';

/** The options that describe the machine, shared by the commands. */
export const machineOptions = {
  m: { type: 'string', default: '1G', requiresArg: true, describe: 'RAM, in MiB or with a suffix: 512M, 1G' },
  smp: { type: 'string', default: '1', requiresArg: true, describe: 'number of CPUs' },
  cpu: { type: 'string', default: 'skylake', requiresArg: true, describe: 'CPU model, features after it: penryn, haswell,-ept; "help" lists them' },
  accel: {
    choices: ['interp', 'jit', 'auto'] as const,
    default: 'auto' as const,
    describe: 'interpret only, or compile hot loops (auto: where it pays)',
  },
  esp: { type: 'string', requiresArg: true, describe: 'folder to boot from, as EFI system partition (read-only)' },
  device: { type: 'string', array: true, requiresArg: true, describe: 'an additional device: pc-testdev; isa-debug-exit is always there' },
  serial: { type: 'string', default: 'stdio', requiresArg: true, describe: 'guest console: stdio, file:PATH or none' },
} as const;

const usage = (message: string): UserError => new UserError(message, ExitStatus.usage);

/** `-m`: MiB unless a suffix says otherwise, as in QEMU. Returns bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmMgG])?[bB]?$/.exec(text);
  if (!match) throw usage(`-m ${text}: not a size; write 512M or 1G`);
  const unit = { k: 10, m: 20, g: 30 }[(match[2] ?? 'm').toLowerCase() as 'k' | 'm' | 'g'];
  return Number(match[1]) * 2 ** unit;
}

export function parseCount(name: string, text: string, least = 1): number {
  const n = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(n >= least)) throw usage(`--${name} ${text}: expected a whole number from ${least}`);
  return n;
}

/** `-device`, once for each: the devices that a test program may need. */
export function parseDevices(texts: readonly string[]): { readonly testDevice: boolean } {
  for (const text of texts) {
    const [name, ...properties] = text.split(',');
    if (name !== 'pc-testdev' && name !== 'isa-debug-exit') throw usage(`--device ${text}: there are pc-testdev and isa-debug-exit`);
    const wrong = properties.find((p) => name !== 'isa-debug-exit' || !/^(iobase=0xf4|iosize=(0x0?)?4)$/i.test(p));
    if (wrong !== undefined)
      throw usage(`--device ${text}: ${wrong} is not possible${name === 'isa-debug-exit' ? '; it is at iobase=0xf4 with iosize=4' : ''}`);
  }
  return { testDevice: texts.some((t) => t === 'pc-testdev') };
}

export function parseCpu(text: string): CpuModel {
  try {
    return parseCpuModel(text);
  } catch (e) {
    if (e instanceof CpuModelError) throw usage(`--cpu ${text}: ${e.message}`);
    throw e;
  }
}
