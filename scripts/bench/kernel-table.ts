import type { Kernel } from './kernels.ts';
import type { Measurement } from './measure.ts';

/** Which clock counts: the wall's, or the time the emulator's process was on a processor (for a busy machine). */
export type ClockName = 'wall' | 'cpu';

export interface KernelResult {
  readonly kernel: Kernel;
  readonly measurements: readonly Measurement[];
}

export const speedOf = (m: Measurement, clock: ClockName): number => (clock === 'wall' ? m.perSecond : m.perCpuSecond);

export const columns = ['kernel', 'vmxscope', 'Bochs', 'QEMU TCG', 'native', '/ Bochs', '/ QEMU', 'native /', 'target'] as const;

/** A row of the table: operations a second, then how many times as fast vmxscope is, and what is wanted. */
export function row({ kernel, measurements }: KernelResult, clock: ClockName): string[] {
  const speed = (name: string): number | undefined => {
    const m = measurements.find((x) => x.emulator === name);
    return m && speedOf(m, clock);
  };
  const own = speed('vmxscope');
  const bochs = speed('Bochs');
  const qemu = speed('QEMU TCG');
  const native = speed('native');
  const times = (a: number | undefined, b: number | undefined): string => (a === undefined || b === undefined ? '-' : ratio(a / b));
  const { target } = kernel;
  const met = (a: number | undefined, b: number | undefined, wanted: number | undefined): boolean => wanted === undefined || a === undefined || b === undefined || a / b >= wanted; // prettier-ignore
  const wanted = target === undefined ? '' : `${target.bochs}${target.qemu === undefined ? '' : `, ${target.qemu}`} ${met(own, bochs, target.bochs) && met(own, qemu, target.qemu) ? 'met' : 'missed'}`; // prettier-ignore
  return [kernel.name, si(own), si(bochs), si(qemu), si(native), times(own, bochs), times(own, qemu), times(native, own), wanted];
}

const ratio = (x: number): string => x.toFixed(x >= 100 ? 0 : x >= 10 ? 1 : 2);

function si(x: number | undefined): string {
  if (x === undefined) return '-';
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) if (x >= size) return `${(x / size).toPrecision(3)} ${unit}`; // prettier-ignore
  return x.toPrecision(3);
}

/** The note under the table: what each kernel counts and how many millions of instructions a second that is. */
export function note({ kernel, measurements }: KernelResult, clock: ClockName): string {
  const own = measurements.find((m) => m.emulator === 'vmxscope');
  const operations = own && (own.perSecond * own.seconds) / own.batches;
  const mips = own?.instructions !== undefined && operations ? (own.instructions / operations) * speedOf(own, clock) / 1e6 : undefined; // prettier-ignore
  return `${kernel.name}: ${kernel.title}; ${kernel.unit} a second${mips === undefined ? '' : ` (${mips.toPrecision(3)} M instructions/s)`}`;
}
