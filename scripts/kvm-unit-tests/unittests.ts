/** x86/unittests.cfg of kvm-unit-tests: sections of `name = value`. */

export interface UnitTest {
  readonly name: string;
  /** Base name of the kernel. */
  readonly file: string;
  readonly smp: number;
  /** The kernel's command line. */
  readonly args: string | undefined;
  /** QEMU's options, as they are written. */
  readonly qemu: readonly string[];
  readonly arch: string | undefined;
  readonly groups: readonly string[];
  /** Seconds that the file allows; undefined: the runner's default. */
  readonly timeout: number | undefined;
}

/** Words of a shell-like text; quotes group and vanish, and what backquotes would compute is left out. */
export function words(text: string): string[] {
  return [...text.replace(/`[^`]*`/g, '').matchAll(/(?:"([^"]*)"|'([^']*)'|([^\s"']+))/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}

/** `extra_params` is the older name of `qemu_params`; its `-append` is the later `test_args`. */
export function parseUnitTests(text: string): UnitTest[] {
  const sections: { name: string; values: Map<string, string> }[] = [];
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue;
    const section = /^\[(.+)\]/.exec(line)?.[1];
    const pair = /^(\w+)\s*=\s*(.*?)\s*(#.*)?$/.exec(line);
    if (section !== undefined) sections.push({ name: section, values: new Map() });
    else if (pair && sections.length > 0) sections.at(-1)!.values.set(pair[1]!, pair[2]!);
  }
  return sections.filter((s) => s.values.has('file')).map(unitTest);
}

function unitTest({ name, values }: { readonly name: string; readonly values: ReadonlyMap<string, string> }): UnitTest {
  const qemu = words(values.get('qemu_params') ?? values.get('extra_params') ?? '');
  const append = qemu.indexOf('-append');
  const args = append < 0 ? values.get('test_args') : qemu[append + 1];
  const timeout = values.get('timeout');
  return {
    name,
    file: values.get('file')!.replace(/\.flat$/, ''),
    smp: Number(values.get('smp') ?? 1) || 1,
    args: args === undefined ? undefined : words(args).join(' '),
    qemu: append < 0 ? qemu : qemu.filter((_, n) => n !== append && n !== append + 1),
    arch: values.get('arch'),
    groups: words(values.get('groups') ?? ''),
    timeout: timeout === undefined ? undefined : Number(timeout),
  };
}
