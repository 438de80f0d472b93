/** CPUID leaf 0DH: SDM Vol. 1, 13.2. */
import type { Cpu } from '../cpu.ts';
import type { CpuidResult } from '../cpuid.ts';
import * as L from '../layout.ts';
import { areaSize, components, xcr0Bits, xss, xssBits } from './components.ts';

const low = (v: bigint): number => Number(v & 0xffff_ffffn);
const high = (v: bigint): number => Number(v >> 32n);

/** EAX of sub-leaf 1. */
const extensions = ['xsaveopt', 'xsavec', 'xgetbv1', 'xsaves'] as const;

export function xsaveLeaf(cpu: Cpu, subleaf: number): Partial<CpuidResult> {
  const { features } = cpu.model;
  if (!features.has('xsave')) return {};
  const xcr0 = cpu.u64(L.XCR0);
  if (subleaf === 0) {
    const bits = xcr0Bits(cpu.model);
    return { eax: low(bits), edx: high(bits), ebx: areaSize(xcr0, false), ecx: areaSize(bits, false) };
  }
  if (subleaf === 1) {
    const eax = extensions.reduce((bits, name, n) => bits | (features.has(name) ? 1 << n : 0), 0);
    const bits = xssBits(cpu.model);
    // Without XSAVES there is no IA32_XSS, and no size to report.
    return features.has('xsaves') ? { eax, ebx: areaSize(xcr0 | xss(cpu), true), ecx: low(bits), edx: high(bits) } : { eax };
  }
  const c = components.find((x) => x.bit === subleaf && x.bit >= 2 && features.has(x.feature));
  if (!c) return {};
  return { eax: c.size, ebx: c.supervisor ? 0 : c.offset, ecx: (c.supervisor ? 1 : 0) | (c.aligned ? 2 : 0) };
}
