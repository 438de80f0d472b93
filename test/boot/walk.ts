import { runGdb } from '../support/gdb.ts';
import { waitingMachine, type Run } from '../support/vmxscope.ts';

/** What gdb showed at one stop. */
export interface Stop {
  readonly symbol: string;
  readonly thread: number;
  readonly mode: string;
  readonly vmx: string;
  readonly cr3: string;
  /** Instructions retired per CPU. */
  readonly retired: readonly number[];
  /** `x/i $pc`. */
  readonly instruction: string;
  /** Function names of the backtrace, innermost first. */
  readonly frames: readonly string[];
  /** Source file and line of the innermost frame. */
  readonly source: string;
  readonly text: string;
}

export interface Walk {
  readonly stops: readonly Stop[];
  readonly output: string;
  readonly machine: Run;
}

/** gdb commands that print a stop in a form `parse` reads. */
const SHOW = [
  'printf "\\n@stop thread=%d cr3=%lx mode=", $_thread, $cr3',
  'output $cpu_mode',
  'printf " vmx="',
  'output $vmx',
  'printf "\\n"',
  'x/i $pc',
  'bt',
  'monitor info cpus',
];

/**
 * Boots with one temporary breakpoint a symbol and continues from one to the next. `then` are the commands after the last
 * stop; each stop's extra commands come from `at`. Ends with `monitor quit`.
 */
export async function walk(
  args: readonly string[],
  symbols: readonly { readonly symbol: string; readonly thread?: number }[],
  options: { readonly at?: Readonly<Record<string, readonly string[]>>; readonly then?: readonly string[] } = {},
): Promise<Walk> {
  const machine = await waitingMachine(['--serial', 'none', ...args]);
  try {
    const { output } = await runGdb(
      [
        'set breakpoint pending on',
        `target remote :${machine.port}`,
        ...symbols.map(({ symbol, thread }) => `tbreak ${symbol} if $_thread == ${thread ?? 1}`),
        ...symbols.flatMap(({ symbol }) => ['continue', ...SHOW, ...(options.at?.[symbol] ?? []), `printf "@end\\n"`]),
        ...(options.then ?? []),
        'monitor quit',
      ],
      { timeout: 60_000 },
    );
    const ended = await machine.ended;
    return { stops: parse(output), output, machine: ended };
  } finally {
    machine.child.kill('SIGKILL');
  }
}

function parse(output: string): Stop[] {
  return [...output.matchAll(/@stop thread=(\d+) cr3=(\w+) mode=(\S+) vmx=(\S+)\n([^]*?)@end/g)].map((m) => {
    const text = m[5]!;
    const frames = [...text.matchAll(/^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) \(.*?\)(?: at (\S+:\d+))?/gm)];
    return {
      symbol: frames[0]?.[1] ?? '??',
      thread: Number(m[1]),
      mode: m[3]!,
      vmx: m[4]!,
      cr3: m[2]!,
      retired: [...text.matchAll(/(\d+) instructions retired/g)].map((r) => Number(r[1])),
      instruction: /^=> .*:\s+(.*)$/m.exec(text)?.[1] ?? '',
      frames: frames.map((f) => f[1]!).filter((f) => f !== '??'),
      source: frames[0]?.[2] ?? '',
      text,
    };
  });
}
