import { describe, expect, it } from 'vitest';
import { argumentsOf, cpuOf } from '../../scripts/kvm-unit-tests/arguments.ts';
import { outcomeOf } from '../../scripts/kvm-unit-tests/outcome.ts';
import { parseUnitTests, words } from '../../scripts/kvm-unit-tests/unittests.ts';

const CONFIG = `
# a comment
stray = value
[one]
file = one.flat
[two]
file = two.flat       # with a comment
smp = 2
test_args = "-a b*"
qemu_params = -cpu max,+x2apic -m 512
arch = x86_64
groups = vmx apic
timeout = 30
[older]
file = older.flat
extra_params = -cpu qemu64 -append 'x y' -m 2560
[no file]
smp = 3
[clock]
file = clock.flat
test_args = "10000000 \`date +%s\`"
`;

describe('unittests.cfg', () => {
  const tests = parseUnitTests(CONFIG);
  it('has a test for each section with a file', () => {
    expect(tests.map((t) => t.name)).toEqual(['one', 'two', 'older', 'clock']);
  });
  it('fills in what is not said', () => {
    expect(tests[0]).toEqual({ name: 'one', file: 'one', smp: 1, args: undefined, qemu: [], arch: undefined, groups: [], timeout: undefined });
  });
  it('reads everything', () => {
    const qemu = ['-cpu', 'max,+x2apic', '-m', '512'];
    expect(tests[1]).toEqual({ name: 'two', file: 'two', smp: 2, args: '-a b*', qemu, arch: 'x86_64', groups: ['vmx', 'apic'], timeout: 30 });
  });
  it('takes the older spelling of the command line', () => {
    expect(tests[2]).toMatchObject({ args: 'x y', qemu: ['-cpu', 'qemu64', '-m', '2560'] });
  });
  it('runs no command of it', () => {
    expect(tests[3]!.args).toBe('10000000 ');
  });
  it.each([
    ['', []],
    ['a  b', ['a', 'b']],
    [`"a b" 'c d' e`, ['a b', 'c d', 'e']],
  ])('words of %j', (text, expected) => {
    expect(words(text)).toEqual(expected);
  });
});

describe('arguments', () => {
  it.each([
    ['nothing said', [], 'skylake'],
    ['a model of QEMU', ['-cpu', 'max'], 'skylake'],
    ['changes that are known', ['-cpu', 'qemu64,+pcid,-invpcid'], 'skylake,+pcid,-invpcid'],
    ['properties and unknown ones', ['-cpu', 'max,host-phys-bits,vendor=GenuineIntel,+svm,migratable=no'], 'skylake'],
  ])('-cpu: %s', (_, qemu, expected) => {
    expect(cpuOf('any', 'skylake', qemu)).toBe(expected);
  });
  it('a feature that no model has is added for its test', () => {
    expect(cpuOf('pku', 'skylake', ['-cpu', 'max'])).toBe('skylake,+pku');
    expect(cpuOf('pku', 'skylake', ['-cpu', 'qemu64'])).toBe('skylake');
  });
  it('of a whole test', () => {
    const [, two] = parseUnitTests(CONFIG);
    expect(argumentsOf(two!, { kernel: '/x/two.flat', model: 'haswell', seconds: 9 }).join(' ')).toMatch(
      /^run -kernel \/x\/two\.flat -append -a b\* -cpu haswell\S* -smp 2 -m 512 -device pc-testdev -no-reboot --timeout 9$/,
    );
  });
});

describe('outcome', () => {
  it.each([
    ['all passed', 1, 'PASS: a\nPASS: b\nSUMMARY: 2 tests', 'clean', [2, 0, 0]],
    ['a failure', 3, 'PASS: a\nFAIL: b', 'FAILS', [1, 1, 0]],
    ['a failing line with a good status', 1, 'FAIL: b', 'FAILS', [0, 1, 0]],
    ['everything skipped', 77, 'SKIP: a', 'skipped', [0, 0, 1]],
    ['an unexpected exception', 127, 'PASS: a\nUnhandled exception 6', 'aborted', [1, 0, 0]],
    ['triple fault', 3, 'PASS: a', 'aborted', [1, 0, 0]],
    ['out of time', 4, 'PASS: a', 'timeout', [1, 0, 0]],
    ['ended by a signal', null, '', 'aborted', [0, 0, 0]],
  ] as const)('%s', (_, status, output, verdict, [passed, failed, skipped]) => {
    expect(outcomeOf(status, output)).toMatchObject({ verdict, passed, failed, skipped });
  });
});
