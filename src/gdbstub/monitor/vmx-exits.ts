import { exitReasonName } from '../../machine/vmx/reasons.ts';
import type { ExitPlace, VmxObserver } from '../machine/vmx-observer.ts';
import { hex } from './command.ts';

/** Places shown for each reason. */
const MAX_ROWS = 8;

const sum = (places: readonly ExitPlace[]): number => places.reduce((n, p) => n + p.count, 0);

/** VM exits by reason, the most frequent first, and below each where in the guest they came from. */
export function describeExits(observer: VmxObserver, nameOf: (physical: number) => string | undefined): string[] {
  const places = observer.places();
  if (places.length === 0) return ['no VM exit was counted'];
  const byReason = new Map<number, ExitPlace[]>();
  for (const place of places) byReason.set(place.reason, [...(byReason.get(place.reason) ?? []), place]);
  const lines = [`${sum(places) + observer.lost} VM exits`];
  for (const [reason, of] of [...byReason].sort(([, a], [, b]) => sum(b) - sum(a))) {
    lines.push(`${String(sum(of)).padStart(10)}  ${reason} ${exitReasonName(reason)}`);
    for (const p of of.slice(0, MAX_ROWS)) {
      const name = p.physical === undefined ? undefined : nameOf(p.physical);
      lines.push(`${String(p.count).padStart(14)}  cpu${p.cpu} ${hex(p.rip)}${name === undefined ? '' : ` ${name}`}`);
    }
    if (of.length > MAX_ROWS) lines.push(`${String(sum(of.slice(MAX_ROWS))).padStart(14)}  at ${of.length - MAX_ROWS} other places`);
  }
  if (observer.lost > 0) lines.push(`${String(observer.lost).padStart(10)}  at places not kept`);
  return lines;
}
