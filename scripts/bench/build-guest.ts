import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kernel } from './kernels.ts';

/** The guest for one kernel, in the forms that the emulators take. */
export interface Guest {
  readonly kernel: Kernel;
  /** Multiboot 1, ELF32 around 64-bit code. */
  readonly elf: string;
  /** 64 KiB that end at 4 GiB. */
  readonly rom: string;
  /** A program of the host, for a kernel that needs no privilege. */
  readonly host: string | undefined;
  /** A folder for the emulator's own files. */
  readonly folder: string;
}

const sources = join(import.meta.dirname, 'guest');
const PROGRAM = ['compute.c', 'generate.c', 'mix.c', 'strings.c', 'smc.c'];
const MACHINE = ['start.S', 'handlers.S', 'vmexit-entry.S', 'walk.c', 'exceptions.c', 'ports.c', 'vmexit.c', 'soak.c'];
const COMMON = ['-O2', '-Wall', '-fno-pic', '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-I', sources];
/** GCC makes calls of memset out of loops unless told not to: the guest has no library. */
const ALONE = ['-ffreestanding', '-mgeneral-regs-only', '-mno-red-zone', '-fno-tree-loop-distribute-patterns'];

/** Why the guest cannot be built here, if it cannot. */
export const missingTool = (): string | undefined => ['gcc', 'objcopy', 'ld'].find((tool) => spawnSync(tool, ['--version']).status !== 0);

/** Compiles everything but the kernel's own main program once, into a folder of temporary files. */
export class GuestBuilder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vmxscope-bench-'));

  constructor() {
    const compile = (flags: string[], from: string, to: string): void =>
      void execFileSync('gcc', [...COMMON, ...flags, '-c', '-o', join(this.#folder, to), join(sources, from)]);
    for (const source of [...PROGRAM, ...MACHINE]) compile(ALONE, source, `guest-${source}.o`);
    // The same flags natively, so that the machine code is the same.
    for (const source of PROGRAM) compile(['-fno-tree-loop-distribute-patterns', '-mgeneral-regs-only'], source, `host-${source}.o`);
  }

  build(kernel: Kernel): Guest {
    const folder = join(this.#folder, kernel.name);
    const run = (tool: string, ...args: string[]): void => void execFileSync(tool, args, { cwd: folder });
    mkdirSync(folder, { recursive: true });
    const objects = (prefix: string, files: string[]): string[] => files.map((f) => join(this.#folder, `${prefix}-${f}.o`));
    const named = `-DKERNEL=${kernel.name}_kernel`;

    run('gcc', ...COMMON, ...ALONE, named, '-c', '-o', 'main.o', join(sources, 'main.c'));
    run(
      'ld',
      '-n',
      '--no-warn-rwx-segments',
      '-T',
      join(sources, 'guest.ld'),
      '-o',
      'guest64.elf',
      'main.o',
      ...objects('guest', [...MACHINE, ...PROGRAM]),
    );
    run('objcopy', '-O', 'elf32-i386', 'guest64.elf', 'guest.elf');
    run('objcopy', '-O', 'binary', 'guest64.elf', 'guest.bin');
    const entry = /Entry point address:\s+(0x[0-9a-f]+)/.exec(execFileSync('readelf', ['-h', join(folder, 'guest64.elf')]).toString())![1]!;
    run('gcc', '-m32', `-DENTRY=${entry}`, `-I${folder}`, '-Wa,-I.', '-c', '-o', 'rom.o', join(sources, 'rom.S'));
    run('ld', '-m', 'elf_i386', '--no-warn-rwx-segments', '-T', join(sources, 'rom.ld'), '-o', 'rom.elf', 'rom.o');
    run('objcopy', '-O', 'binary', '--pad-to', '0x100000000', 'rom.elf', 'guest.rom');
    if (kernel.native) run('gcc', ...COMMON, '-no-pie', '-w', named, '-o', 'host', join(sources, 'host.c'), ...objects('host', PROGRAM));
    return {
      kernel,
      folder,
      elf: join(folder, 'guest.elf'),
      rom: join(folder, 'guest.rom'),
      host: kernel.native ? join(folder, 'host') : undefined,
    };
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
