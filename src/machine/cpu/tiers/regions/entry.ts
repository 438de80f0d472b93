import { REGION_ENTRIES, REGION_ENTRY_COUNT, REGION_ENTRY_SIZE, TIER1_INSTRUCTIONS } from '../../../memory/layout.ts';
import * as L from '../../layout.ts';
import type { Local } from '../../wasm/function.ts';
import * as w from '../../wasm/value.ts';
import type { Emitter } from '../emitter.ts';

/**
 * The record at the head of a loop has a handler number of its own from REGION_OP on: the number of its entry, in which the
 * handler number that belongs to it is kept. An entry counts until the loop is hot; then it leads to the loop's region.
 *
 *   0  u32  passes that are left until the loop is hot; of a region, entries that are left until it is reviewed
 *   4  u16  the record's own handler number
 *   8  i32  the budget that must be left to enter the region
 *  12  u32  number of the region's function in the table; 0: none yet
 *  16  u32  instructions executed by the region since its last review
 *  20  u32  how often it was left because of a memory access since then
 */
export const REGION_OP = 0x8000;
export const ENTRY_COUNT = 0;
export const ENTRY_OP = 4;
export const ENTRY_FLOOR = 8;
export const ENTRY_FUNCTION = 12;
export const ENTRY_EXECUTED = 16;
export const ENTRY_MISSED = 20;
export const entryAddress = (entry: number): number => REGION_ENTRIES + entry * REGION_ENTRY_SIZE;

/** Returned by a region that was not entered: something is not as it was when the region was compiled. */
export const NOT_ENTERED = 1;

/** Address of the entry that a handler number from REGION_OP on stands for. */
export const entryOf = (op: w.Value): w.Value =>
  w.add(w.mul(w.and(op, w.i32(REGION_ENTRY_COUNT - 1)), w.i32(REGION_ENTRY_SIZE)), w.i32(REGION_ENTRIES));

/**
 * A region is left at the head of a loop after so many instructions, though it could go on: V8 replaces the code of its
 * baseline compiler by the optimised one only at the next call.
 */
const QUANTUM = 1 << 20;

/** What tier 0 does at a record whose handler number is `op`, an entry's. Ends in a branch: to the record's own handler, or on. */
export function enterRegion(m: Emitter, op: Local): void {
  const { f } = m;
  const entry = m.let(entryOf(op));
  const region = m.let(w.load32(entry, ENTRY_FUNCTION));
  const floor = m.let(w.load32(entry, ENTRY_FLOOR));
  const countDown = (): void => {
    const count = m.let(w.sub(w.load32(entry, ENTRY_COUNT), w.i32(1)));
    f.do(w.store32(entry, count, ENTRY_COUNT));
    f.if(w.eqz(count), () => f.set(count, m.call('hot')));
  };
  f.if(
    region,
    () =>
      f.if(w.geS(m.left, floor), () => {
        const pause = m.let(w.sub(m.left, w.i32(QUANTUM)));
        f.set(pause, w.select(w.gtS(pause, floor), pause, floor));
        const record = m.let(f.callIndirect(1, region, [m.c, m.pc, m.left, pause]));
        f.if(w.ne(record, w.i32(NOT_ENTERED)), () => {
          const left = m.let(w.load32(m.c, L.LEFT));
          const done = m.let(w.sub(m.left, left));
          f.do(w.store32(entry, w.add(w.load32(entry, ENTRY_EXECUTED), done), ENTRY_EXECUTED));
          f.do(w.store64(w.i32(0), w.add(w.load64(w.i32(0), TIER1_INSTRUCTIONS), w.unsigned64(done)), TIER1_INSTRUCTIONS));
          countDown();
          f.set(m.left, left);
          f.if(w.ltS(record, w.i32(0)), () => f.return(w.sub(w.i32(0), record)));
          f.if(w.eqz(record), () => m.jump(w.load64(m.c, L.SLOW_ADDRESS)));
          f.set(m.pc, record);
          f.set(op, w.load16u(record));
          // It was left before this record, so tier 0 executes it even if it is a head itself.
          f.if(w.geU(op, w.i32(REGION_OP)), () => f.set(op, w.load16u(entryOf(op), ENTRY_OP)));
          f.br(m.nextLabel);
        });
      }),
    countDown,
  );
  f.set(op, w.load16u(entry, ENTRY_OP));
  f.br(m.nextLabel);
}
