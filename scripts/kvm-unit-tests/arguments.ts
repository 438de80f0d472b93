import { adjustableFeatures } from '../../src/machine/cpu/models/parse.ts';
import type { UnitTest } from './unittests.ts';

/** Tests of features that no model has: with `-cpu max` they are added. */
const beyondModel: Readonly<Record<string, readonly string[]>> = { pku: ['+pku'], la57: ['+la57'] };

/** QEMU's names of features that have another name here. */
const RENAMED: Readonly<Record<string, string>> = { 'vmx-mbec': 'mode-based-execute-control' };
const known = new Set(adjustableFeatures);

/** Our `--cpu` for QEMU's: the model given, with those of the changes that it knows; properties of QEMU and KVM are dropped. */
export function cpuOf(name: string, model: string, qemu: readonly string[]): string {
  const [, ...changes] = (qemu[qemu.indexOf('-cpu') + 1] ?? '').split(',');
  const max = /^max\b/.test(qemu[qemu.indexOf('-cpu') + 1] ?? '') ? (beyondModel[name] ?? []) : [];
  if (!qemu.includes('-cpu')) return model;
  const ours = changes.map((c) => c[0]! + (RENAMED[c.slice(1)] ?? c.slice(1))).filter((c) => /^[+-]/.test(c) && known.has(c.slice(1)));
  return [model, ...max, ...ours].join(',');
}

/** Arguments of `vmxscope run` for a test. */
export function argumentsOf(test: UnitTest, options: { readonly kernel: string; readonly model: string; readonly seconds: number }): string[] {
  const memory = test.qemu.includes('-m') ? test.qemu[test.qemu.indexOf('-m') + 1]! : '128';
  return [
    'run',
    ...['-kernel', options.kernel],
    ...(test.args === undefined ? [] : ['-append', test.args]),
    ...['-cpu', cpuOf(test.name, options.model, test.qemu)],
    ...['-smp', String(test.smp), '-m', memory],
    ...['-device', 'pc-testdev', '-no-reboot', '--timeout', String(options.seconds)],
  ];
}
