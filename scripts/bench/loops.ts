import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Machine } from '../../src/machine/machine.ts';
import { bareMachine, CODE } from '../../test/support/bare-machine.ts';

/** A speed in millions of instructions a second. */
export interface Speed {
  readonly name: string;
  readonly speed: number;
  /** The same program on the host's CPU, where it was measured. */
  readonly native?: number;
}

const WARM_UP = 300_000_000;
const MEASURED = 300_000_000;

/** Hand-assembled loops that never end; R8 counts. */
const loops: Readonly<Record<string, readonly number[]>> = {
  // 1: add rax, rcx; xor rbx, rax; lea rdx, [rbx+rax*2]; dec ecx; jnz 1b; jmp 1b
  'register loop': [0x48, 0x01, 0xc8, 0x48, 0x31, 0xc3, 0x48, 0x8d, 0x14, 0x43, 0xff, 0xc9, 0x75, 0xf2, 0xeb, 0xf0],
  // 1: mov rax, [rsi]; add [rsi+8], rax; mov [rsi+rcx*8], rax; inc ecx; and ecx, 1023; jmp 1b (RSI = 0x300000)
  'memory loop': [0x48, 0x8b, 0x06, 0x48, 0x01, 0x46, 0x08, 0x48, 0x89, 0x04, 0xce, 0xff, 0xc1, 0x81, 0xe1, 0xff, 0x03, 0x00, 0x00, 0xeb, 0xeb],
  // 1: imul eax, eax, 1664525; add eax, 1013904223; test eax, 0x10000; jz 2f; inc ebx; 2: test eax, 0x200000; jnz 1b; dec ebx; jmp 1b
  'branchy loop': [0x69, 0xc0, 0x0d, 0x66, 0x19, 0x00, 0x05, 0x5f, 0xf3, 0x6e, 0x3c, 0xa9, 0x00, 0x00, 0x01, 0x00, 0x74, 0x02, 0xff, 0xc3, 0xa9, 0x00, 0x00, 0x20, 0x00, 0x75, 0xe5, 0xff, 0xcb, 0xeb, 0xe1],
}; // prettier-ignore

export function loopSpeeds(): Speed[] {
  return Object.entries(loops).map(([name, code]) => {
    const machine = bareMachine();
    machine.memory.poke(CODE, Uint8Array.from(code));
    machine.cpus[0]!.setGpr(6, 0x30_0000n);
    return { name, speed: measure(machine) };
  });
}

/** The compiled program, on the emulator and natively; undefined without gcc. */
export function compiledSpeed(): Speed | undefined {
  if (spawnSync('gcc', ['--version'], { stdio: 'ignore' }).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'vmxscope-bench-'));
  const source = join(import.meta.dirname, 'compute.c');
  const elf = join(folder, 'compute.elf');
  const image = join(folder, 'compute.bin');
  const flags = [
    '-O2',
    '-fno-pic',
    '-no-pie',
    '-nostdlib',
    '-ffreestanding',
    '-fno-asynchronous-unwind-tables',
    '-mgeneral-regs-only',
    '-fno-stack-protector',
  ];
  execFileSync('gcc', [...flags, `-Wl,-Ttext=0x${CODE.toString(16)},--build-id=none,-e,start`, '-o', elf, source]);
  execFileSync('objcopy', ['-O', 'binary', '-j', '.text', elf, image]);
  const entry = Number(
    /0x([0-9a-f]+)/.exec(
      execFileSync('readelf', ['-h', elf])
        .toString()
        .match(/Entry point.*/)![0],
    )![0],
  );

  const start = (rounds: number): Machine => {
    const machine = bareMachine();
    machine.memory.poke(CODE, readFileSync(image));
    machine.cpus[0]!.rip = BigInt(entry);
    machine.cpus[0]!.setGpr(7, BigInt(rounds));
    return machine;
  };
  const machine = start(1_000_000);
  const speed = measure(machine);

  // Natively: the same rounds in a host program; the emulator has counted how many instructions a round is.
  const counted = start(1);
  while (counted.run(1_000_000).kind === 'quantum');
  const perRound = Number(counted.cpus[0]!.retired);
  const host = join(folder, 'host');
  writeFileSync(join(folder, 'host.c'), hostSource(source));
  execFileSync('gcc', ['-O2', '-fno-stack-protector', '-w', '-o', host, join(folder, 'host.c')]);
  const seconds = Number(execFileSync(host).toString());
  return { name: 'compiled program', speed, native: (perRound * HOST_ROUNDS) / seconds / 1e6 };
}

const HOST_ROUNDS = 300;
const hostSource = (path: string): string => `
#include <stdio.h>
#include <time.h>
#include <sys/mman.h>
#define start unused_start
#include ${JSON.stringify(path)}
int main(void) {
  mmap((void *)0x400000, 0x400000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  struct timespec a, b;
  volatile unsigned sum = 0;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int n = 0; n < ${HOST_ROUNDS}; n++) sum += sieve(100000) + crc32(flags, 20000) + sort(1000, less);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%f", (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
  return 0;
}
`;

function measure(machine: Machine): number {
  runFor(machine, WARM_UP);
  const started = process.hrtime.bigint();
  const done = runFor(machine, MEASURED);
  return done / (Number(process.hrtime.bigint() - started) / 1e3);
}

function runFor(machine: Machine, instructions: number): number {
  const first = machine.instructions;
  while (Number(machine.instructions - first) < instructions) {
    const reason = machine.run(5_000_000);
    if (reason.kind !== 'quantum') throw new Error(`the benchmark's program stopped: ${reason.kind}`);
  }
  return Number(machine.instructions - first);
}
