import { existsSync, readFileSync } from 'node:fs';
import { KernelBoot, type KernelOptions } from '../machine/boot/kernel.ts';
import { BootImageError } from '../machine/boot/image.ts';
import type { MachineServices } from '../machine/machine-services.ts';
import { SymbolFileError } from '../symbols/errors.ts';
import { loadSymbolFile } from '../symbols/load.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { ExitStatus, UserError } from './errors.ts';

export interface KernelArguments {
  readonly kernel?: string | undefined;
  readonly append?: string | undefined;
  readonly initrd?: string | undefined;
}

/** The options that start a kernel without firmware, spelled as QEMU's. */
export const kernelOptions = {
  kernel: { type: 'string', requiresArg: true, describe: 'Multiboot kernel to start instead of the firmware' },
  append: { type: 'string', requiresArg: true, describe: 'command line of the kernel' },
  initrd: { type: 'string', requiresArg: true, describe: 'modules for the kernel: "FILE ARGUMENTS,FILE ..."' },
} as const;

/** Reads kernel and modules; what is wrong with them is said when the machine is built. */
export function readKernel({ kernel, append, initrd }: KernelArguments): KernelOptions {
  return {
    kernel: readInput('--kernel', kernel!),
    commandLine: append === undefined ? kernel! : `${kernel} ${append}`,
    modules: initrd === undefined ? [] : moduleList(initrd).map((text) => ({ bytes: readInput('--initrd', text.split(' ')[0]!), commandLine: text })),
  };
}

/** Makes the machine's kernel; a bad file is the person's mistake. */
export function kernelBoot(path: string, options: KernelOptions): (services: MachineServices) => KernelBoot {
  return (services) => {
    try {
      return new KernelBoot(services, options);
    } catch (e) {
      if (e instanceof BootImageError) throw new UserError(`--kernel ${path}: ${e.message}`);
      throw e;
    }
  };
}

/** QEMU's list of modules: commas separate, a doubled comma is one. */
export function moduleList(text: string): string[] {
  return text.split(/(?<!,),(?!,)/).map((m) => m.replaceAll(',,', ','));
}

/** Symbols of the kernel: of NAME.elf beside NAME.flat too, where a build keeps the debug information. */
export function kernelSymbols(path: string, warn: (message: string) => void): SymbolFile[] {
  const beside = path.replace(/\.[^./]+$/, '.elf');
  try {
    return [loadSymbolFile(beside !== path && existsSync(beside) ? beside : path)];
  } catch (e) {
    if (!(e instanceof SymbolFileError)) throw e;
    warn(`symbols: ${path}: ${e.message}`);
    return [];
  }
}

function readInput(option: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    const { code } = e as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : code === 'EACCES' ? 'permission denied' : String(e); // prettier-ignore
    throw new UserError(`${option} ${path}: ${why}`);
  }
}

/** Combinations that mean nothing. */
export function checkKernelArguments(args: KernelArguments & { readonly esp?: string | undefined; readonly image?: string | undefined }): void {
  const fail = (message: string): never => {
    throw new UserError(message, ExitStatus.usage);
  };
  if (args.kernel === undefined) {
    for (const name of ['append', 'initrd'] as const) if (args[name] !== undefined) fail(`--${name} belongs to --kernel`);
  } else if (args.esp !== undefined) fail('--kernel starts without firmware: there is nothing to boot --esp');
  else if (args.image !== undefined) fail(`--kernel starts without firmware: ${args.image} cannot be started too`);
}
