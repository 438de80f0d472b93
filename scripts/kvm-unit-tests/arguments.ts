import { adjustableFeatures } from '../../src/machine/cpu/models/parse.ts';
import type { UnitTest } from './unittests.ts';

/** QEMU's names of features that have another name here. */
const RENAMED: Readonly<Record<string, string>> = { 'vmx-mbec': 'mode-based-execute-control' };
const known = new Set(adjustableFeatures);

/** Our `--cpu` for QEMU's: the model given, with those of the changes that it knows; properties of QEMU and KVM are dropped. */
export function cpuOf(model: string, qemu: readonly string[]): string {
  const [, ...changes] = (qemu[qemu.indexOf('-cpu') + 1] ?? '').split(',');
  if (!qemu.includes('-cpu')) return model;
  const ours = changes.map((c) => c[0]! + (RENAMED[c.slice(1)] ?? c.slice(1))).filter((c) => /^[+-]/.test(c) && known.has(c.slice(1)));
  return [model, ...ours].join(',');
}

/** Arguments of `vmxscope run` for a test. */
export function argumentsOf(test: UnitTest, options: { readonly kernel: string; readonly model: string; readonly seconds: number }): string[] {
  const memory = test.qemu.includes('-m') ? test.qemu[test.qemu.indexOf('-m') + 1]! : '128';
  return [
    'run',
    ...['-kernel', options.kernel],
    ...(test.args === undefined ? [] : ['-append', test.args]),
    ...['-cpu', cpuOf(options.model, test.qemu)],
    ...['-smp', String(test.smp), '-m', memory],
    ...['-device', 'pc-testdev', '-no-reboot', '--timeout', String(options.seconds)],
  ];
}
