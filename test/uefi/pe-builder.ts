/** A small PE32+ file with one code section and, if wanted, relocations: enough to try the loader's every check. */
import { Pack } from '../../src/machine/uefi/pack.ts';

export interface PeOptions {
  readonly code?: readonly number[];
  readonly subsystem?: number;
  readonly machine?: number;
  readonly magic?: number;
  readonly imageBase?: number;
  readonly entry?: number;
  readonly imageSize?: number;
  readonly sectionAlignment?: number;
  readonly characteristics?: number;
  /** Contents of the relocation section at 0x2000. */
  readonly relocations?: Uint8Array;
  readonly rawPointer?: number;
  readonly virtualSize?: number;
}

export const CODE_AT = 0x1000;

export function buildPe(o: PeOptions = {}): Uint8Array {
  const code = o.code ?? [0x31, 0xc0, 0xc3]; // xor eax, eax; ret
  const relocations = o.relocations ?? new Uint8Array(0);
  const raw = 0x400;
  const pack = new Pack().ascii('MZ').zeros(58).u32(0x40);
  pack.ascii('PE\0\0').u16(o.machine ?? 0x8664).u16(2).u32(0).u32(0).u32(0).u16(112 + 16 * 8).u16(o.characteristics ?? 0x2022); // prettier-ignore
  pack
    .u16(o.magic ?? 0x20b)
    .zeros(14)
    .u32(o.entry ?? CODE_AT)
    .u32(CODE_AT)
    .u64(o.imageBase ?? 0)
    .u32(o.sectionAlignment ?? 0x1000)
    .u32(0x200)
    .zeros(16)
    .u32(o.imageSize ?? 0x3000)
    .u32(0x400)
    .u32(0)
    .u16(o.subsystem ?? 10)
    .u16(0)
    .zeros(32)
    .u32(0)
    .u32(16);
  for (let n = 0; n < 16; n++) pack.u32(n === 5 && relocations.length > 0 ? 0x2000 : 0).u32(n === 5 ? relocations.length : 0);
  const section = (name: string, size: number, at: number, rawSize: number, pointer: number): void =>
    void pack.ascii(name.padEnd(8, '\0')).u32(size).u32(at).u32(rawSize).u32(pointer).zeros(12).u32(0xe000_0020);
  section('.text', o.virtualSize ?? code.length, CODE_AT, code.length, o.rawPointer ?? raw);
  section('.reloc', relocations.length, 0x2000, relocations.length, raw + 0x200);
  return concat(
    pack
      .zeros(raw - pack.length)
      .bytes(code)
      .done(),
    raw + 0x200,
    relocations,
  );
}

function concat(head: Uint8Array, at: number, tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.max(head.length, at + tail.length));
  out.set(head);
  out.set(tail, at);
  return out;
}
