import { iced } from '../../text/iced.ts';

export interface Disassembled {
  readonly address: bigint;
  readonly text: string;
}

/** At most `count` instructions, in gdb's (AT&T) syntax. Bytes that end within an instruction are left out. */
export function disassemble(bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, count: number): Disassembled[] {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = iced();
  const decoder = new Decoder(bits, bytes, DecoderOptions.MPX);
  const formatter = new Formatter(FormatterSyntax.Gas);
  try {
    decoder.ip = address;
    formatter.branchLeadingZeros = false;
    const out: Disassembled[] = [];
    while (out.length < count && decoder.canDecode) {
      const instruction = decoder.decode();
      if (decoder.lastError === 2 /* no more bytes */) {
        instruction.free();
        break;
      }
      out.push({ address: instruction.ip, text: formatter.format(instruction) });
      instruction.free();
    }
    return out;
  } finally {
    formatter.free();
    decoder.free();
  }
}
