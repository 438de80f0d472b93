import type { Cpu } from '../../machine/cpu/cpu.ts';
import { accessors } from '../machine/registers.ts';

const ALIASES: Readonly<Record<string, string>> = { pc: 'rip', sp: 'rsp', fp: 'rbp' };

/** One term: 0x-hex, decimal or `$register`. gdb hands monitor commands over as typed, so registers are resolved here. */
function term(cpu: Cpu, word: string): bigint | undefined {
  if (/^(?:0x[0-9a-fA-F]+|[0-9]+)$/.test(word)) return BigInt(word);
  if (!word.startsWith('$')) return undefined;
  const name = word.slice(1);
  const accessor = accessors[ALIASES[name] ?? name];
  return accessor?.read(cpu);
}

/** A sum of terms: `$rsp+0x20`. Undefined when it is not one. Wraps at 64 bits. */
export function parseAddress(cpu: Cpu, expression: string): bigint | undefined {
  const words = expression.replace(/\s+/g, '').match(/[+-]?[^+-]+/g);
  if (!words) return undefined;
  let sum = 0n;
  for (const word of words) {
    const value = term(cpu, word.replace(/^[+-]/, ''));
    if (value === undefined) return undefined;
    sum += word.startsWith('-') ? -value : value;
  }
  return BigInt.asUintN(64, sum);
}
