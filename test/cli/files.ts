import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { buildPe, type PeOptions } from '../uefi/pe-builder.ts';

/** A folder with these files, removed after the test file. */
export function folder(files: Readonly<Record<string, Uint8Array | string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'vmxscope-cli-'));
  folders.push(path);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}
const folders: string[] = [];
afterAll(() => folders.forEach((f) => rmSync(f, { recursive: true, force: true })));

/** Every file below a folder with its content and date, to see that nothing was written. */
export function contents(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true }).map((e) => {
    const at = join(e.parentPath, e.name);
    return `${at} ${statSync(at).mtimeMs} ${e.isFile() ? readFileSync(at).toString('base64') : 'folder'}`;
  });
}

/** A UEFI application that is these instructions. */
export const image = (code: readonly number[], options: PeOptions = {}): Uint8Array => buildPe({ code, ...options });

export const programs = {
  /** xor eax, eax; ret */
  returns: [0x31, 0xc0, 0xc3],
  /** lidt [rip+1] with a limit of 0, then int3: no handler for the fault nor for the double fault. */
  tripleFaults: [0x0f, 0x01, 0x1d, 0x01, 0x00, 0x00, 0x00, 0xcc, ...Array<number>(10).fill(0)],
  /** jmp . */
  spins: [0xeb, 0xfe],
  /** cli; hlt; jmp back */
  halts: [0xfa, 0xf4, 0xeb, 0xfc],
  /** mov al, 0x15; out 0xf4, al: QEMU's isa-debug-exit, status 0x15 << 1 | 1. */
  debugExit: [0xb0, 0x15, 0xe6, 0xf4, 0xeb, 0xfe],
  /** int3 with the firmware's handlers */
  breakpoint: [0xcc, 0x31, 0xc0, 0xc3],
  /** mov rax, [0x7fff00000000] */
  pageFaults: [0x48, 0xa1, 0, 0, 0, 0, 0xff, 0x7f, 0, 0, 0xc3],
  /** mov al, 'A'; mov edx, 0x3f8; out dx, al; jmp back to out: serial output for ever. */
  shouts: [0xb0, 0x41, 0xba, 0xf8, 0x03, 0x00, 0x00, 0xee, 0xeb, 0xfd],
} as const;
