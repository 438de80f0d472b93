import { CODE_TLB_ENTRIES, RECORD_CLASSES, RECORD_SIZE, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../memory/layout.ts';
import * as L from '../layout.ts';
import { RecordClass } from '../tiers/record.ts';
import { ENTRY_OP, entryOf, REGION_OP } from '../tiers/regions/entry.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { CpuCode } from './cpu-code.ts';

/** What a record counts as (`classByte` of handlers.ts), also where the head of a loop has a number of its own. */
function classOf(q: CpuCode, record: Value): Local {
  const op = q.let(w.load16u(record));
  q.f.if(w.geU(op, w.i32(REGION_OP)), () => q.f.set(op, w.load16u(entryOf(op), ENTRY_OP)));
  return q.let(w.load8u(op, RECORD_CLASSES));
}

/** Instructions of the block before the one at a record. */
export function instructionsBefore(q: CpuCode, record: Value): Local {
  const { f } = q;
  const n = q.let(w.i32(0));
  const at = q.let(record);
  f.block((done) => {
    f.loop((next) => {
      f.set(at, w.sub(at, w.i32(RECORD_SIZE)));
      const kind = q.let(w.and(classOf(q, at), w.i32(RecordClass.mask)));
      f.brIf(done, w.eq(kind, w.i32(RecordClass.end)));
      f.set(n, w.add(n, w.eq(kind, w.i32(RecordClass.instruction))));
      f.br(next);
    });
  });
  return n;
}

/** The record that emitted code has for a linear address, or 0. */
export function recordAt(q: CpuCode, linear: Local): Local {
  const record = q.let(w.i32(0));
  const index = w.and(w.wrap(w.shrU(linear, w.i64(8))), w.i32((CODE_TLB_ENTRIES - 1) << 4));
  const entry = q.let(w.add(q.u32(L.TLB), index));
  const at = TLB_ENTRIES * TLB_ENTRY_SIZE;
  q.f.if(w.eq(w.load64(entry, at), w.and(linear, w.i64(-4096))), () => {
    const offset = w.shl(w.and(w.wrap(linear), w.i32(0xfff)), w.i32(2));
    q.f.set(record, w.load32(w.add(w.load32(entry, at + 8), offset)));
  });
  return record;
}

/** Is the instruction that begins with a record one that may run with RF as if it were clear? Nonzero: yes. */
export function ignoresResumeFlag(q: CpuCode, record: Local): Local {
  const { f } = q;
  const at = q.let(record);
  const kind = f.temp('i32');
  f.loop((next) => {
    f.set(kind, classOf(q, at));
    f.if(w.eq(kind, w.i32(RecordClass.micro | RecordClass.ignoresResumeFlag)), () => {
      f.set(at, w.add(at, w.i32(RECORD_SIZE)));
      f.br(next);
    });
  });
  return q.let(w.and(kind, w.i32(RecordClass.ignoresResumeFlag)));
}
