import type { Instruction } from 'iced-x86';
import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/machine/cpu/isa/decoder.ts';
import { iced } from '../../src/text/iced.ts';
import { Random } from '../host-cpu/random.ts';

/**
 * The structural oracle: length and validity of every encoding as iced-x86 sees them. What differs is explained by one of the
 * tables below, or it is a failure.
 */

/** Instructions that are not built yet: all of these CPUID features, by iced's names. */
const unbuiltFeatures = new Set([
  'SSE4A', 'D3NOW', 'D3NOWEXT',
  'GFNI', 'MOVDIRI', 'MOVDIR64B', 'PTWRITE', 'WAITPKG',
  'PKU', 'RTM', 'HLE_or_RTM', 'CET_SS', 'UINTR', 'ENQCMD', 'RAO_INT', 'WRMSRNS', 'PCONFIG', 'TSE', 'MSRLIST', 'HRESET', 'CLDEMOTE',
  'KL', 'AESKLE', 'AESKLE+WIDE_KL', // key locker
  'OSS', 'SEV_SNP', 'TSXLDTRK', 'CMPCCXADD', 'SMX', 'SGX1', 'SVM', 'SKINIT_or_SVM', 'SEV_ES', 'SNP', 'INVLPGB', 'MCOMMIT', 'MONITORX', 'CLZERO', 'RDPRU', // other vendors' and modes
  'PADLOCK_ACE', 'PADLOCK_PHE', 'PADLOCK_PMM', 'PADLOCK_RNG', 'PADLOCK_GMI', 'PADLOCK_UNDOC', 'RMPQUERY', 'SEAM', 'FRED', 'LKGS', 'MSR_IMM', 'PBNDKB',
  'INTEL386_A0_ONLY', 'INTEL486_A_ONLY', 'INTEL386', 'CYRIX_SMM', 'CYRIX_FPU', 'CYRIX_EMMI', 'CYRIX_DMI', 'CYRIX_SHAD', 'CENTAUR_AIS', 'GEODE', 'UDBG', 'LOADALL386', 'TBM', 'XOP', 'FMA4', 'LWP',
]); // prettier-ignore
const unbuilt = (features: string): boolean =>
  unbuiltFeatures.has(features) ||
  /^(AVX512|AVX_|AVX10|AVX.*(GFNI|VAES|SM3|SM4|SHA512)|VAES|VPCLMUL|AMX|KNC|XOP|SM|SHA512|CET_IBT|MPX|SVM|TDX)/.test(features);

/** Single mnemonics beyond whole features, and why. */
const unbuiltMnemonics: Readonly<Record<string, string>> = {
  Reservednop: 'reserved hint NOPs of 0F 0D with a register operand',
  Loadall: 'the 80286 only',
  Loadallreset286: 'the 80286 only',
  Storeall: 'the 80386 only',
};

/** We decode them, and the instruction itself answers #UD: by the number of the control, debug or segment register. */
const decidedLater = /^mov_(r_cr|cr_r|r_dr|dr_r|sreg_rm|rm_sreg)$/;

const { Code, Mnemonic, CpuidFeature, Decoder: IcedDecoder, Instruction: IcedInstruction } = iced();

class Comparison {
  readonly differences = new Map<string, string>();
  compared = 0;
  readonly #ours = new Decoder();
  readonly #theirs: Instruction = new IcedInstruction();

  compare(bytes: Uint8Array, mode: 16 | 32 | 64): void {
    this.compared++;
    const failure = this.#ours.decode(bytes, 0, 15, mode);
    const decoder = new IcedDecoder(mode, bytes.subarray(0, 15), 0);
    decoder.decodeOut(this.#theirs);
    decoder.free();
    const valid = this.#theirs.code !== Code.INVALID;
    if (valid && failure === undefined) {
      if (this.#theirs.length !== this.#ours.length)
        this.#note(`length ${this.#ours.length}, iced ${this.#theirs.length}: ${this.#ours.row.encoding}`, bytes, mode);
    } else if (valid) {
      const features = [...this.#theirs.cpuidFeatures()].map((f) => CpuidFeature[f]).join('+');
      const name = Mnemonic[this.#theirs.mnemonic]!;
      if (!unbuilt(features) && unbuiltMnemonics[name] === undefined) this.#note(`not decoded: ${name} (${features})`, bytes, mode);
    } else if (failure === undefined && !decidedLater.test(this.#ours.row.name)) {
      this.#note(`decoded, invalid for iced: ${this.#ours.row.encoding} ${this.#ours.row.name}`, bytes, mode);
    }
  }

  #note(what: string, bytes: Uint8Array, mode: number): void {
    if (!this.differences.has(what)) this.differences.set(what, `${mode}-bit ${Buffer.from(bytes).toString('hex')}`);
  }
}

const modes = [64, 32, 16] as const;

describe.each(modes)('%i-bit code, length and validity as iced-x86 has them', (mode) => {
  it('for every prefix, map, opcode and ModRM byte', () => {
    const c = new Comparison();
    const bytes = new Uint8Array(16).fill(0x11);
    for (const prefix of [[], [0x66], [0xf2], [0xf3]])
      for (const map of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]])
        for (let opcode = 0; opcode < 256; opcode++)
          for (let modrm = 0; modrm < 256; modrm++) {
            bytes.set([...prefix, ...map, opcode, modrm]);
            c.compare(bytes, mode);
          }
    expect(c.compared).toBe(4 * 4 * 65536);
    expect(Object.fromEntries(c.differences)).toEqual({});
  });

  it('for every VEX prefix, map, opcode and ModRM byte', () => {
    const c = new Comparison();
    const bytes = new Uint8Array(16).fill(0x11);
    for (let bits = 0; bits < 16; bits++)
      // W, L and pp; vvvv unused and used
      for (const vvvv of [0x78, 0x28])
        for (const map of [1, 2, 3])
          for (let opcode = 0; opcode < 256; opcode++)
            for (let modrm = 0; modrm < 256; modrm += bits === 5 ? 1 : 13) {
              bytes.set([0xc4, 0xe0 | map, ((bits & 8) << 4) | vvvv | (bits & 7), opcode, modrm]);
              c.compare(bytes, mode);
              if (map !== 1 || bits >= 8) continue;
              bytes.set([0xc5, 0x80 | vvvv | bits, opcode, modrm]);
              c.compare(bytes, mode);
            }
    expect(c.compared).toBeGreaterThan(500_000);
    expect(Object.fromEntries(c.differences)).toEqual({});
  });

  it('for random VEX encodings, with prefixes before them', () => {
    const c = new Comparison();
    const random = new Random(0x5ec5n + BigInt(mode));
    const bytes = new Uint8Array(16);
    for (let n = 0; n < 100_000; n++) {
      for (let i = 0; i < 15; i++) bytes[i] = random.below(256);
      let at = 0;
      if (random.chance(4)) bytes[at++] = random.pick([0x67, 0x2e, 0x64, 0x66, 0xf2, 0xf3, 0xf0, 0x48]);
      if (random.chance(2)) bytes.set([0xc4, (random.below(8) << 5) | (1 + random.below(3))], at);
      else bytes[at] = 0xc5;
      c.compare(bytes, mode);
    }
    expect(Object.fromEntries(c.differences)).toEqual({});
  });

  it('for random bytes, prefixes in any order', () => {
    const c = new Comparison();
    const random = new Random(BigInt(mode));
    const bytes = new Uint8Array(16);
    for (let n = 0; n < 60_000; n++) {
      for (let i = 0; i < 15; i++) bytes[i] = random.below(256);
      let at = 0;
      for (let k = random.below(4); k > 0; k--) bytes[at++] = random.pick([0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x64, 0x48, 0x41]);
      if (random.chance(2)) bytes[at++] = 0x0f;
      c.compare(bytes, mode);
    }
    expect(Object.fromEntries(c.differences)).toEqual({});
  });
});

describe('what is not an instruction', () => {
  it.each([
    ['more than 15 bytes', '666666666666666666666666666666'.padEnd(32, '0'), 'too-long'],
    ['LOCK on a register destination', 'f001c0', 'undefined'],
    ['LOCK on an instruction that does not take it', 'f08b00', 'undefined'],
    ['LOCK CMP', 'f03900', 'undefined'],
    ['PUSHA in 64-bit mode', '60', 'undefined'],
    ['UD2 decodes and raises #UD itself', '0f0b', undefined],
    ['bytes that end too early', '48b8', 'truncated'],
  ])('%s', (_what, hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(new Decoder().decode(bytes, 0, bytes.length, 64)).toBe(expected);
  });
});
