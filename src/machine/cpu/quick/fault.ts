import { LEAVE, OBSERVED, RESUMED } from '../../memory/layout.ts';
import { Flag, VmxMode } from '../cpu.ts';
import { Vector } from '../fault.ts';
import * as L from '../layout.ts';
import { Exit, REC_WHERE } from '../tiers/record.ts';
import * as w from '../wasm/value.ts';
import { Event } from './event.ts';
import type { Quick } from './quick.ts';
import { instructionsBefore } from './records.ts';

/** FAULT_VECTOR beyond this is no exception but a VM exit or a watched access. */
const LAST = 0x1ff;
/** Not for here: those whose image of RFLAGS has RF as it is, and #DB, which changes debug registers. */
const unusual = [Vector.DB, Vector.NMI, Vector.BP, Vector.OF, Vector.DF, Vector.MC].reduce((bits, v) => bits | (1 << v), 0);

/**
 * `fault` (CPU block, record, budget left): emitted code met a fault at a record, or with record 0 in fetching at RIP. 0: it
 * is delivered, and execution goes on at SLOW_ADDRESS with the budget in LEFT. Else what the run loop is to see: the fault,
 * with nothing changed, or a stop.
 */
export function fault(q: Quick): void {
  const { f } = q;
  const before = q.let(w.i32(0));
  f.if(q.record, () => f.set(before, instructionsBefore(q, q.record)));
  // The first instruction after an IRET that set RF: it is set as long as none was completed.
  const resumed = w.eq(w.load32(w.i32(0), RESUMED), q.left);
  f.if(w.and(resumed, w.eqz(before)), () => q.setU32(L.SYSFLAGS, w.or(q.u32(L.SYSFLAGS), w.i32(Flag.RF))));
  const word = q.let(q.u32(L.FAULT_VECTOR));
  const general = w.or(w.load32(w.i32(0), OBSERVED), w.eq(q.u32(L.VMX_MODE), w.i32(VmxMode.nonRoot)));
  const unlike = w.or(w.gtU(word, w.i32(LAST)), w.and(w.shrU(w.i32(unusual), w.and(word, w.i32(31))), w.i32(1)));
  f.if(w.or(general, unlike), () => f.return(w.i32(Exit.fault)));
  f.if(q.record, () => q.setU64(L.RIP, w.add(q.u64(L.SLOT_CODE_PAGE), w.unsigned64(w.and(w.load16u(q.record, REC_WHERE), w.i32(0xfff))))));
  f.if(w.eqz(q.run('deliver', w.or(word, w.i32(Event.resume)), q.u32(L.FAULT_CODE))), () => f.return(w.i32(Exit.fault)));
  // A tick, but no retired instruction.
  q.setU32(L.LEFT, w.sub(w.sub(q.left, before), w.i32(1)));
  q.setU64(L.NOT_RETIRED, w.add(q.u64(L.NOT_RETIRED), w.i64(1)));
  f.return(w.select(w.or(w.load32(w.i32(0), LEAVE), q.calls()), w.i32(Exit.stop), w.i32(0)));
}

export const RAISE_PARAMS = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** Vectors that push an error code: SDM Vol. 3, table 6-1. */
const withErrorCode = [8, 10, 11, 12, 13, 14, 17, 21].reduce((bits, v) => bits | (1 << v), 0);

/** `raise` (CPU block, record, budget left, vector, error code): an exception that emitted code found, before any change. */
export function raise(q: Quick): void {
  const { f } = q;
  const [vector, code] = [f.param(3), f.param(4)];
  const has = q.let(w.and(w.shrU(w.i32(withErrorCode), vector), w.i32(1)));
  q.setU32(L.FAULT_VECTOR, w.or(vector, w.shl(has, w.i32(8))));
  q.setU32(L.FAULT_CODE, w.select(has, code, w.i32(0)));
  q.setU32(L.RECORD, q.record);
  q.setU32(L.LEFT, q.left);
  f.return(w.i32(Exit.fault));
}
