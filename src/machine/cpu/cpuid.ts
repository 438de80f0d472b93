/** CPUID: what the model's data says, leaf by leaf. SDM Vol. 2, CPUID. */
import { CR4, type Cpu } from './cpu.ts';
import * as L from './layout.ts';
import { cpuidBits } from './models/cpuid-bits.ts';
import type { CpuModel } from './models/model.ts';
import { cpuidLimited, monitorEnabled, xdDisabled } from './msr/platform.ts';
import { perfmonLeaf } from './perfmon/model.ts';
import { xsaveLeaf } from './xsave/cpuid.ts';

export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

type Leaf = (cpu: Cpu, subleaf: number) => Partial<CpuidResult>;

const MAX_EXTENDED = 0x8000_0008;

/** Four characters as a register holds them. */
const packed = (text: string, at: number): number => {
  let v = 0;
  for (let n = 3; n >= 0; n--) v = (v << 8) | (text.charCodeAt(at + n) & 0xff);
  return v >>> 0;
};

function featureBits(model: CpuModel, leaf: number, register: keyof CpuidResult): number {
  let v = 0;
  for (const row of cpuidBits) if (row.leaf === leaf && row.register === register && model.features.has(row.feature)) v |= 1 << row.bit;
  return v >>> 0;
}

/** Leaf 01H, EAX: stepping, model and family with their extensions. */
export function signature(model: CpuModel): number {
  const { family, stepping } = model;
  const base = Math.min(family, 15);
  const extended = family > 15 ? family - 15 : 0;
  return (stepping & 15) | ((model.model & 15) << 4) | (base << 8) | ((model.model >> 4) << 16) | (extended << 20);
}

/** Leaf 07H, ECX bit 4: the operating system has enabled protection keys. */
const ospke = (cpu: Cpu): number => ((cpu.cr4bits & CR4.PKE) !== 0 ? 1 << 4 : 0);

/** Flags that IA32_MISC_ENABLE hides: SDM Vol. 4, table 2-2. */
const MONITOR = 1 << 3;
const NX = 1 << 20;
const highestLeaf = (cpu: Cpu): number => (cpuidLimited(cpu) ? 2 : cpu.model.maxLeaf);

/** Bits of an APIC ID that number the cores of the one package. */
const coreBits = (cpu: Cpu): number => 32 - Math.clz32(cpu.machine.cpus.length - 1);

/** Leaf 04H: [type, level, ways, sets, shared by all cores] with lines of 64 bytes. */
const CACHES: readonly (readonly [type: number, level: number, ways: number, sets: number, shared: boolean])[] = [
  [1, 1, 8, 64, false],
  [2, 1, 8, 64, false],
  [3, 2, 8, 512, false],
  [3, 3, 16, 8192, true],
];

const leaves: Readonly<Record<number, Leaf>> = {
  0x0: (cpu) => {
    const { vendor } = cpu.model;
    return { eax: highestLeaf(cpu), ebx: packed(vendor, 0), edx: packed(vendor, 4), ecx: packed(vendor, 8) };
  },
  0x1: (cpu) => {
    const { model } = cpu;
    const threads = cpu.machine.cpus.length;
    const htt = threads > 1 ? 1 << 28 : 0;
    const osxsave = (cpu.cr4bits & CR4.OSXSAVE) !== 0 ? 1 << 27 : 0;
    // The APIC flag follows the enable bit of IA32_APIC_BASE: SDM Vol. 3, 11.4.3.
    const apicOff = (cpu.u32(L.APIC_BASE) & 0x800) === 0 ? 1 << 9 : 0;
    return {
      eax: signature(model),
      ebx: (8 << 8) | ((1 << coreBits(cpu)) << 16) | (cpu.index << 24),
      ecx: (featureBits(model, 1, 'ecx') | osxsave) & (monitorEnabled(cpu) ? -1 : ~MONITOR),
      edx: (featureBits(model, 1, 'edx') | htt) & ~apicOff,
    };
  },
  // Descriptor FFH: caches are described by leaf 04H.
  0x2: () => ({ eax: 0xff01 }),
  0x4: (cpu, subleaf) => {
    const cache = CACHES[subleaf];
    if (!cache) return {};
    const [type, level, ways, sets, shared] = cache;
    const cores = (1 << coreBits(cpu)) - 1;
    return {
      eax: type | (level << 5) | (1 << 8) | ((shared ? cores : 0) << 14) | (cores << 26),
      ebx: 63 | ((ways - 1) << 22),
      ecx: sets - 1,
      edx: shared ? 2 : 0,
    };
  },
  0x5: ({ model }) => (model.features.has('monitor') ? { eax: 64, ebx: 64, ecx: 3 } : {}),
  0x7: (cpu, subleaf) => {
    const { model } = cpu;
    return subleaf === 0
      ? { ebx: featureBits(model, 7, 'ebx'), ecx: featureBits(model, 7, 'ecx') | ospke(cpu), edx: featureBits(model, 7, 'edx') }
      : {};
  },
  0xa: ({ model }) => perfmonLeaf(model),
  // One thread to a core, all cores in one package; APIC ID = CPU index.
  0xb: (cpu, subleaf) => {
    const edx = cpu.index;
    if (subleaf === 0) return { eax: 0, ebx: 1, ecx: 0x100, edx };
    if (subleaf === 1) return { eax: coreBits(cpu), ebx: cpu.machine.cpus.length, ecx: 0x201, edx };
    return { ecx: subleaf & 0xff, edx };
  },
  0xd: xsaveLeaf,
  0x8000_0000: () => ({ eax: MAX_EXTENDED }),
  0x8000_0001: (cpu) => ({
    ecx: featureBits(cpu.model, 0x8000_0001, 'ecx'),
    edx: featureBits(cpu.model, 0x8000_0001, 'edx') & (xdDisabled(cpu) ? ~NX : -1),
  }),
  0x8000_0002: (cpu) => brand(cpu, 0),
  0x8000_0003: (cpu) => brand(cpu, 16),
  0x8000_0004: (cpu) => brand(cpu, 32),
  // Level-2 cache: 64-byte lines, 8 ways (code 6), 256 KBytes.
  0x8000_0006: () => ({ ecx: 64 | (6 << 12) | (256 << 16) }),
  0x8000_0007: ({ model }) => ({ edx: featureBits(model, 0x8000_0007, 'edx') }),
  0x8000_0008: ({ model }) => ({
    eax: model.physicalBits | ((model.features.has('la57') ? 57 : 48) << 8),
    ebx: featureBits(model, 0x8000_0008, 'ebx'),
  }),
};

function brand(cpu: Cpu, at: number): CpuidResult {
  const text = cpu.model.brand.padEnd(48, '\0');
  return { eax: packed(text, at), ebx: packed(text, at + 4), ecx: packed(text, at + 8), edx: packed(text, at + 12) };
}

/** A leaf beyond the highest basic or extended one gives the data of the highest basic one. Leaves not listed are all zero. */
export function cpuid(cpu: Cpu, leaf: number, subleaf: number): CpuidResult {
  leaf >>>= 0;
  const highest = highestLeaf(cpu);
  const known = leaf >= 0x8000_0000 ? leaf <= MAX_EXTENDED : leaf <= highest;
  const { eax = 0, ebx = 0, ecx = 0, edx = 0 } = leaves[known ? leaf : highest]?.(cpu, subleaf >>> 0) ?? {};
  return { eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 };
}
