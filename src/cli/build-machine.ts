import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import type { Accel } from '../machine/cpu/tiers/regions/cache.ts';
import { createLog } from '../machine/log.ts';
import { Machine, MachineError, type MachineOptions } from '../machine/machine.ts';
import type { HostDirectory } from '../machine/uefi/files/host-directory.ts';
import { Firmware } from '../machine/uefi/firmware.ts';
import { parsePe } from '../machine/uefi/images/pe.ts';
import { Refusal } from '../machine/uefi/status.ts';
import { ExitStatus, UserError } from './errors.ts';
import { hostDirectory } from './host-directory.ts';
import { checkKernelArguments, kernelBoot, kernelSymbols, readKernel } from './kernel.ts';
import { parseCount, parseCpu, parseDevices, parseSize } from './options.ts';
import { loadSymbolFiles } from './symbol-files.ts';

/** The date at power-on is an input; fixed, so that runs repeat. */
const START_DATE = Date.UTC(2026, 0, 1);

export interface MachineArguments {
  readonly m: string;
  readonly smp: string;
  readonly cpu: string;
  readonly accel?: Accel['mode'];
  readonly esp?: string | undefined;
  readonly image?: string | undefined;
  readonly kernel?: string | undefined;
  readonly append?: string | undefined;
  readonly initrd?: string | undefined;
  readonly device?: readonly string[] | undefined;
}

/** The embedded guest's folder, from src/cli as from dist. */
export function embeddedGuest(): string {
  const here = import.meta.dirname;
  const found = [join(here, '../guest/bin'), join(here, '../../guest/bin')].find((d) => existsSync(d));
  if (found === undefined) throw new UserError('the embedded guest is missing: guest/bin is not beside the program');
  return found;
}
const EMBEDDED_LOADER = 'vmxguest.efi';

export interface Sources {
  /** Folder that becomes the ESP. */
  readonly directory: string;
  /** Image to start, relative to it; undefined: the firmware's boot order. */
  readonly image: string | undefined;
}

/** What to boot: an image given, an ESP given, both, or the embedded guest. */
export function sources({ esp, image }: MachineArguments): Sources {
  if (esp === undefined && image === undefined) return { directory: embeddedGuest(), image: EMBEDDED_LOADER };
  if (image === undefined) return { directory: esp!, image: bootLoaderOf(esp!) };
  const path = resolve(image);
  if (esp === undefined) {
    if (!existsSync(path)) throw new UserError(`${image}: there is no such file, and no such command (run, trace)`);
    if (statSync(path).isDirectory()) throw new UserError(`${image} is a folder: to boot from it, write --esp ${image}`);
    return { directory: dirname(path), image: basename(path) };
  }
  const root = resolve(esp);
  const within = path.startsWith(`${root}/`) ? path.slice(root.length + 1) : image;
  if (!existsSync(join(root, within))) throw new UserError(`${image}: there is no such file, neither here nor in ${esp}`);
  return { directory: esp, image: within };
}

/** A folder with a loader but no boot order (BOOTX64.EFI, startup.nsh): a lone `loadvmm.efi` or other single image is meant. */
function bootLoaderOf(esp: string): string | undefined {
  if (!statSync(esp, { throwIfNoEntry: false })?.isDirectory()) return undefined; // hostDirectory says what is wrong
  const has = (path: string): boolean => existsSync(join(esp, path));
  if (has('startup.nsh') || has('EFI/BOOT/BOOTX64.EFI')) return undefined;
  const images = readdirSync(esp).filter((n) => /\.efi$/i.test(n));
  return images.find((n) => n.toLowerCase() === 'loadvmm.efi') ?? (images.length === 1 ? images[0] : undefined);
}

export interface BuiltMachine {
  readonly machine: Machine;
  /** Symbols of what is booted: every ELF and PE file of the ESP. */
  readonly files: readonly SymbolFile[];
}

/** Makes the machine and finds the symbols of what it boots. */
export function buildMachine(args: MachineArguments, write: (bytes: Uint8Array) => void, log: (message: string) => void): BuiltMachine {
  checkKernelArguments(args);
  const start = args.kernel === undefined ? startFirmware(args, write, log) : startKernel(args, args.kernel, log);
  const byte = new Uint8Array(1);
  const onSerial = (value: number): void => {
    byte[0] = value;
    write(byte.slice());
  };
  let machine: Machine;
  try {
    machine = new Machine({
      ramSize: parseSize(args.m),
      cpus: parseCount('smp', args.smp),
      model: parseCpu(args.cpu),
      log: createLog(log),
      startDate: START_DATE,
      ...(args.accel !== undefined && { accel: { mode: args.accel } }),
      onSerial,
      onDebugConsole: onSerial,
      ...parseDevices(args.device ?? []),
      ...start.options,
    });
  } catch (e) {
    if (e instanceof MachineError) throw new UserError(e.message, ExitStatus.usage);
    throw e;
  }
  return { machine, files: start.symbols() };
}

/** What runs first: firmware with a folder to boot, or a kernel. */
interface Start {
  readonly options: Pick<MachineOptions, 'firmware' | 'kernel'>;
  symbols(): readonly SymbolFile[];
}

function startFirmware(args: MachineArguments, write: (bytes: Uint8Array) => void, log: (message: string) => void): Start {
  const { directory, image } = sources(args);
  const files = hostDirectory(directory);
  if (image !== undefined) checkImage(files, image);
  const options = { directory: files, console: { write }, ...(image === undefined ? {} : { image: { path: image } }) };
  return { options: { firmware: (services) => new Firmware(services, options) }, symbols: () => loadSymbolFiles(directory, log) };
}

function startKernel(args: MachineArguments, path: string, log: (message: string) => void): Start {
  return { options: { kernel: kernelBoot(path, readKernel(args)) }, symbols: () => kernelSymbols(path, log) };
}

/** A wrong file is better named before the machine starts than on its console. */
function checkImage(files: HostDirectory, image: string): void {
  const size = files.stat(image)?.size;
  if (size === undefined) throw new UserError(`${image}: not below the folder that is booted`);
  try {
    parsePe(files.read(image, 0, size));
  } catch (e) {
    if (e instanceof Refusal) throw new UserError(`${image} is not an image that UEFI can start: ${e.reason}`);
    throw e;
  }
}
