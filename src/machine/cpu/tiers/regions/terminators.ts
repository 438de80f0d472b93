import type { Handler } from '../handlers.ts';
import { handlerOf } from '../handlers.ts';
import { RecordClass } from '../record.ts';
import { Special } from '../specials.ts';

/** How a record's instruction transfers control, and whether regions compile it at all. */
export interface Terminator {
  readonly kind: 'none' | 'conditional' | 'jump' | 'call' | 'return' | 'indirect' | 'indirect-call' | 'other';
  readonly compiled: boolean;
}

const known = new Map<number, Terminator>();
const kinds: Readonly<Record<string, Terminator['kind']>> = { jmp: 'jump', call: 'call', ret: 'return', jmp_rm: 'indirect', call_rm: 'indirect-call' }; // prettier-ignore

/** The handler that tier 1 compiles for a record: of a fused pair, the first instruction's. */
export function plainHandler(op: number): Handler {
  const handler = handlerOf(op);
  return handler.first ?? handler;
}

export function terminatorOf(op: number): Terminator {
  let t = known.get(op);
  if (!t) known.set(op, (t = work(op)));
  return t;
}

/** From the handler's key: name.width.form.variant.operands. */
function work(op: number): Terminator {
  if (op <= Special.helper) return { kind: 'other', compiled: true };
  const handler = plainHandler(op);
  if (handler.class !== RecordClass.end) return { kind: 'none', compiled: true };
  const [name = '', width, , variant = '0'] = handler.key.split('.');
  const kind = kinds[name] ?? (/^(j|loop)/.test(name) ? 'conditional' : 'other');
  // Outside 64-bit mode a 16-bit operand size cuts RIP, and strings run in tier 0.
  const cuts = (Number(variant) & 1) !== 0 && width === '1';
  return { kind, compiled: kind !== 'other' && !cuts };
}
