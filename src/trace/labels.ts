import type { GuestEvent } from '../machine/cpu/fault.ts';
import { statusName } from '../machine/uefi/status.ts';
import type { Code, InlineCall } from './code.ts';
import type { Frame } from './frame.ts';

/** 1234567 as `1,234,567`. */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

export const hex = (n: bigint | number): string => `0x${n.toString(16)}`;

export const sourceOf = (file: string | undefined, line: number | undefined): string => (file === undefined ? '' : `  ${file}:${line ?? '?'}`);

/** For counts and closing lines. */
export const frameName = ({ kind, code, event }: Frame): string => (kind === 'interrupt' ? `${eventName(event!)}: ${code.name}` : code.name);

export const inlineLabel = (call: InlineCall): string => `${call.name} (inlined)${sourceOf(call.file, call.line)}`;

export const codeLabel = (code: Code): string => `${code.name}${sourceOf(code.source, code.line)}`;

/** Mnemonics of the exceptions: SDM Vol. 3, table 6-1. */
const exceptions: Readonly<Record<number, string>> = {
  0: '#DE', 1: '#DB', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP', 12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF',
  17: '#AC', 18: '#MC', 19: '#XM', 20: '#VE', 21: '#CP',
}; // prettier-ignore

export function eventName({ vector, type }: GuestEvent): string {
  if (type === 'nmi') return 'NMI';
  if (type === 'external') return `interrupt ${vector}`;
  if (type === 'software') return `INT ${vector}`;
  return exceptions[vector] ?? `exception ${vector}`;
}

const MOST_ARGUMENTS = 5;

/** `(0x1, 0x2)`, and ` = EFI_NOT_FOUND` once a service has ended other than well. */
export function firmwareDetail({ args, status }: Frame): string {
  const shown = (args ?? []).slice(0, MOST_ARGUMENTS).map(hex);
  if (args !== undefined && args.length > MOST_ARGUMENTS) shown.push('...');
  return `(${shown.join(', ')})${status === undefined || status === 0n ? '' : ` = ${statusName(status)}`}`;
}
