import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface BuiltElf {
  readonly bytes: Buffer;
  /** Address of the first PT_LOAD, as linked. */
  readonly base: bigint;
  readonly entry: bigint;
  /** Its loadable parts, as linked. */
  readonly segments: readonly { readonly address: bigint; readonly bytes: Uint8Array }[];
}

/** A small ELF64 with line information, assembled and linked with gcc at an address. */
export function buildElf(name: string, source: string, text: number, data = text + 0x2000): BuiltElf {
  const dir = mkdtempSync(join(tmpdir(), 'vmxscope-elf-'));
  try {
    writeFileSync(join(dir, `${name}.s`), source);
    const link = [
      '-nostdlib',
      '-static',
      '-no-pie',
      '-Wl,--build-id=none',
      '-Wl,-e,entry',
      `-Wl,-Ttext=0x${text.toString(16)}`,
      `-Wl,-Tdata=0x${data.toString(16)}`,
    ];
    execFileSync('gcc', ['-g', ...link, '-o', name, `${name}.s`], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    return parse(readFileSync(join(dir, name)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function parse(bytes: Buffer): BuiltElf {
  const offset = Number(bytes.readBigUInt64LE(32));
  const segments: { address: bigint; bytes: Uint8Array }[] = [];
  for (let n = 0; n < bytes.readUInt16LE(56); n++) {
    const at = offset + n * 56;
    if (bytes.readUInt32LE(at) !== 1) continue;
    const from = Number(bytes.readBigUInt64LE(at + 8));
    const size = Number(bytes.readBigUInt64LE(at + 32));
    segments.push({ address: bytes.readBigUInt64LE(at + 16), bytes: bytes.subarray(from, from + size) });
  }
  return { bytes, base: segments[0]!.address, entry: bytes.readBigUInt64LE(24), segments };
}
