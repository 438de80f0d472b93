/**
 * Accesses that TypeScript makes on warm paths (event delivery, IRET, VMX): straight to RAM where the TLB knows the page, in
 * 32-bit halves, without a bigint. Whatever the TLB does not know (a miss, a device, a watched page, a page with decoded
 * code for a write) is answered with -1, before anything happened: the caller then goes the general way, which also fills
 * the TLB.
 */
import * as L from '../layout.ts';
import type { Cpu } from '../cpu.ts';
import { dataEntry, HOST_PAGE, tlbHalf, WRITE_TAG } from './tlb.ts';

/**
 * Index in the 32-bit view of linear memory of `length` bytes at a linear address, all in one page and 4-byte aligned; or -1.
 * `user`: with the rights of CPL 3, else of a supervisor.
 */
export function quickWords(cpu: Cpu, high: number, low: number, length: number, write: boolean, user: boolean): number {
  if ((low & 3) !== 0 || (low & 0xfff) + length > 4096) return -1;
  const { u32 } = cpu.m;
  const at = dataEntry(tlbHalf(cpu, cpu.u32(L.TLB_CONTEXT), user), low >>> 12) >> 2;
  const tag = write ? at + (WRITE_TAG >> 2) : at;
  if (u32[tag] !== (low & ~0xfff) >>> 0 || u32[tag + 1] !== high >>> 0) return -1;
  return (u32[at + (HOST_PAGE >> 2)]! + (low & 0xfff)) >>> 2;
}

/** The words found by `quickFrame`: the first `split` from index `first` on, the others from index `second` on. */
export const frame = { first: 0, split: 0, second: 0 };

/** As `quickWords` for a range that may lie in two pages; the result is in `frame`. */
export function quickFrame(cpu: Cpu, high: number, low: number, length: number, write: boolean, user: boolean): boolean {
  const room = 4096 - (low & 0xfff);
  if (length <= room) {
    frame.first = quickWords(cpu, high, low, length, write, user);
    frame.split = length >> 2;
    return frame.first >= 0;
  }
  if (low + room > 0xffff_ffff) return false;
  frame.first = quickWords(cpu, high, low, room, write, user);
  frame.split = room >> 2;
  frame.second = quickWords(cpu, high, low + room, length - room, write, user);
  return frame.first >= 0 && frame.second >= 0;
}

/** Index of word n of `frame`. */
export const frameWord = (n: number): number => (n < frame.split ? frame.first + n : frame.second + n - frame.split);
