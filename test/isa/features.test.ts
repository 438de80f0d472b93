import { describe, expect, it } from 'vitest';
import { Decoder } from '../../src/machine/cpu/isa/decoder.ts';
import { featuresOf } from '../../src/machine/cpu/isa/features.ts';
import type { Row } from '../../src/machine/cpu/isa/row.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import { cpuidBits } from '../../src/machine/cpu/models/cpuid-bits.ts';
import { max } from '../../src/machine/cpu/models/max.ts';
import { parseCpuModel } from '../../src/machine/cpu/models/parse.ts';
import { iced } from '../../src/text/iced.ts';

const { Code, CpuidFeature, Decoder: IcedDecoder, DecoderOptions, Instruction } = iced();
const PP: Readonly<Record<number, number>> = { 0: 0, 0x66: 1, 0xf3: 2, 0xf2: 3 };

/** One encoding of a row, with a register or a memory operand. */
function encoding(row: Row, memory: boolean): Uint8Array {
  const bytes: number[] = [];
  const { vex } = row;
  if (vex)
    bytes.push(0xc4, 0xe0 | row.map, ((vex.w === 1 ? 1 : 0) << 7) | ((row.vvvv ? 0xe : 0xf) << 3) | ((vex.length === 32 ? 1 : 0) << 2) | PP[Math.max(row.prefix, 0)]!); // prettier-ignore
  else {
    if (row.prefix > 0) bytes.push(row.prefix);
    if (row.map > 0) bytes.push(0x0f);
    if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  }
  bytes.push(row.opcode);
  if (row.modrmByte >= 0) bytes.push(row.modrmByte);
  else if (row.hasModrm) bytes.push((memory ? 0 : 0xc0) | (Math.max(row.extension, 0) << 3) | (row.vsib ? 4 : 2), ...(row.vsib ? [0x18] : []));
  const out = new Uint8Array(16);
  out.set(bytes);
  return out;
}
const formsOf = (row: Row): boolean[] => (row.form === 'memory' ? [true] : row.form === 'register' ? [false] : [false, true]);

/** What iced names and we do not: parts of every processor here. And names that differ. */
const everywhere = new Set(['INTEL8086', 'INTEL186', 'INTEL286', 'INTEL386', 'INTEL486', 'X64', 'PAUSE', 'MSR', 'TSC', 'RDPMC', 'CPUID', 'SMM', 'MULTIBYTENOP', 'PREFETCHW', 'FPU', 'FPU287', 'FPU387', 'CMOV', 'INTEL386_A0_ONLY']); // prettier-ignore
const names: Readonly<Record<string, string>> = { CLFSH: 'clflush', SSE4_1: 'sse4.1', SSE4_2: 'sse4.2', INVEPT: 'vmx', INVVPID: 'vmx' };

/** Rows whose feature is another for iced, and why. */
const different: Readonly<Record<string, string>> = {
  'nop_rm sse': 'PREFETCHh and fences: hints and NOPs where SSE is not offered, which is nowhere',
  'nop_rm sse2': 'the same',
  'nop_rm mpx': 'a reserved NOP where MPX is not offered, and with a register operand',
  'nop_rm cldemote': 'a hint NOP where CLDEMOTE is not offered: SDM Vol. 2, CLDEMOTE',
  'mov sse2': 'MOVNTI: SSE2 is offered everywhere',
  'movq_mmx sse': 'MOVNTQ, on MMX registers',
  'pmuludq_mmx sse2': 'on MMX registers',
  'psubq_mmx sse2': 'on MMX registers',
};

describe('the features of instructions, as iced-x86 has them', () => {
  it('for every row', () => {
    const wrong: string[] = [];
    for (const row of rows)
      for (const memory of formsOf(row)) {
        const instruction = new Instruction();
        new IcedDecoder(row.in64 ? 64 : 32, encoding(row, memory), DecoderOptions.MPX).decodeOut(instruction);
        if (instruction.code === Code.INVALID) {
          if (featuresOf(row).length > 0) wrong.push(`${row.encoding}: not an instruction for iced`);
          continue;
        }
        const theirs = [...instruction.cpuidFeatures()].map((f) => CpuidFeature[f]!).filter((f) => !everywhere.has(f)).map((f) => names[f] ?? f.toLowerCase()); // prettier-ignore
        const expected = [...new Set(theirs)].sort().join('+');
        const ours = featuresOf(row).filter((f) => f !== 'fpu' && f !== 'cmov').toSorted().join('+'); // prettier-ignore
        if (ours !== expected && different[`${row.name} ${expected}`] === undefined)
          wrong.push(`${row.encoding} ${row.name}: ${ours || 'none'}, iced ${expected || 'none'}`);
      }
    expect(wrong).toEqual([]);
  });

  it('are features that models may offer', () => {
    const known = new Set(cpuidBits.filter((r) => r.built).map((r) => r.feature));
    expect([...new Set(rows.flatMap((r) => featuresOf(r)))].filter((f) => !known.has(f))).toEqual([]);
  });
});

/** Rows that stand for others where a feature is missing: SDM Vol. 2, TZCNT and LZCNT; MPX took reserved NOPs. */
const instead = (name: string): string | undefined => ({ tzcnt: 'bsf', lzcnt: 'bsr' })[name] ?? (name.startsWith('bnd') ? 'nop_rm' : undefined);

describe('a feature that is taken away', () => {
  const features = [...new Set(rows.flatMap((r) => featuresOf(r)))].sort();
  it.each(features)('%s takes its instructions along', (feature) => {
    const without = new Set(max.features);
    without.delete(feature);
    const decoder = new Decoder(without);
    const all = new Decoder(max.features);
    const wrong: string[] = [];
    for (const row of rows.filter((r) => featuresOf(r).includes(feature)))
      for (const memory of formsOf(row)) {
        const bytes = encoding(row, memory);
        const mode = row.in64 ? 64 : 32;
        expect(all.decode(bytes, 0, 15, mode), row.encoding).toBe(undefined);
        const failure = decoder.decode(bytes, 0, 15, mode);
        if (failure !== 'undefined' && instead(row.name) !== decoder.row.name)
          wrong.push(`${row.encoding} ${row.name}: ${failure ?? decoder.row.name}`);
      }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['penryn', '660f3840c1', undefined], // PMULLD: SSE4.1
    ['penryn', '660f3837c1', 'undefined'], // PCMPGTQ: SSE4.2
    ['nehalem', 'c5f458c1', 'undefined'], // VADDPS ymm: AVX
    ['sandybridge', 'c5f458c1', undefined],
    ['sandybridge', 'c5f5fec1', 'undefined'], // VPADDD ymm: AVX2
    ['haswell', 'c5f5fec1', undefined],
    ['haswell,-avx2', 'c5f5fec1', 'undefined'],
    ['haswell', '660f38f6c1', 'undefined'], // ADCX: ADX
    ['skylake', '660f38f6c1', undefined],
    ['skylake', '0f38c8c1', 'undefined'], // SHA1NEXTE
    ['skylake,+sha', '0f38c8c1', undefined],
  ])('%s: %s', (model, hex, expected) => {
    const bytes = Buffer.from(hex.padEnd(30, '0'), 'hex');
    expect(new Decoder(parseCpuModel(model).features).decode(bytes, 0, 15, 64)).toBe(expected);
  });
});
