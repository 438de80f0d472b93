import * as w from '../wasm/value.ts';
import * as L from '../layout.ts';
import type { Local } from '../wasm/function.ts';
import type { Semantics } from '../semantics/semantics.ts';
import type { Emitter } from './emitter.ts';
import type { Handler } from './handlers.ts';
import { Exit, RecordClass, REC_A, REC_IMM } from './record.ts';

/** Numbers of the records that are not instructions. */
export const Special = {
  /** Never executed: stands before the first record of a block. */
  head: 0,
  /** Goes on at the page offset DISP, possibly in the next page. */
  next: 1,
  /** Goes on at the record IMM. */
  joined: 2,
  /** Leaves after COUNT instructions: the end of an exact block; RIP is at page offset DISP. */
  leave: 3,
  /** Instruction number IMM of the kept ones, written in TypeScript. */
  helper: 4,
  /** #UD and the like: vector in A. */
  fault: 5,
  /** Something to look at before the next instruction: breakpoints, probes. */
  mark: 6,
  /** Address records: compute SLOT_EA from base, index, displacement, then a segment. */
  address16: 7,
  address32: 8,
  address64: 9,
  /** The same with a segment limit check; `A` = size, IMM = segment slot | limit slot << 16. */
  checked16: 10,
  checked32: 11,
  /** A 64-bit absolute offset (moffs). */
  absolute64: 12,
  /** For BT and its kind with a register as the index, in B: the element's own address wraps and is checked. */
  bits32: 13,
  bitsChecked16: 14,
  bitsChecked32: 15,
} as const;

/** How far a bit string's element lies from its base, in bytes; `A` is the operand's size, `B` the index register. */
function elementDistance(m: Emitter): Local {
  const bytes = m.let(m.accessBytes());
  const index = m.elementIndex();
  const unused = m.let(w.sub(w.i64(64), w.shl(w.unsigned64(bytes), w.i64(3))));
  const bit = w.shrS(w.shl(index, unused), unused);
  return m.let(w.and(w.shrS(bit, w.i64(3)), w.sub(w.i64(0), w.unsigned64(bytes))));
}

const address =
  (size: 16 | 32 | 64, checked: boolean, bitString = false): Semantics =>
  (m) => {
    m.form = 'mx';
    const distance = bitString ? elementDistance(m) : undefined;
    const sum = distance ? w.add(m.effectiveAddress(), distance) : m.effectiveAddress();
    const offset = m.let(size === 64 ? sum : w.and(sum, w.i64(size === 16 ? 0xffff : 0xffff_ffffn)));
    if (checked) {
      const bytes = w.unsigned64(m.accessBytes());
      m.f.if(w.gtU(w.add(offset, bytes), m.segmentEnd()), () => m.checkSegment(offset, 0));
    }
    const linear = w.add(offset, m.segmentBase());
    const wrapped = checked ? w.and(linear, w.i64(0xffff_ffffn)) : linear;
    // The instruction adds the element's distance itself.
    m.register(L.SLOT_EA, 64).set(distance ? w.sub(wrapped, distance) : wrapped);
  };

const special = (key: string, recordClass: number, emit: Semantics): Handler => ({ key, class: recordClass, emit, configure: (m: Emitter) => void (m.endsBlock = true) }); // prettier-ignore

/** In the order of `Special`. */
export const specials: readonly Handler[] = [
  special('head', RecordClass.end, (m) => {
    m.f.unreachable();
    m.ended = true;
  }),
  special('next', RecordClass.end, (m) => {
    m.takeCount();
    m.jump(m.codeAddress(m.disp()));
  }),
  special('joined', RecordClass.end, (m) => {
    m.takeCount();
    m.goTo(w.load32(m.pc, REC_IMM));
  }),
  special('leave', RecordClass.end, (m) => {
    m.takeCount();
    m.f.do(w.store64(m.c, m.codeAddress(m.disp()), L.SLOW_ADDRESS));
    m.exit(w.i32(Exit.stop));
    m.ended = true;
  }),
  special('helper', RecordClass.end, (m) => {
    m.takeCount();
    const code = m.let(m.call('helper'));
    m.f.if(code, () => m.f.return(code));
    m.jump(w.load64(m.c, L.SLOW_ADDRESS));
  }),
  special('fault', RecordClass.end, (m) => {
    const code = m.let(m.call('raise', w.load8u(m.pc, REC_A), w.i32(0)));
    m.f.set(code, m.call('fault'));
    m.f.if(code, () => m.f.return(code));
    m.goToHandler();
  }),
  special('mark', RecordClass.micro, (m) => {
    const code = m.let(m.call('mark'));
    m.f.if(code, () => m.f.return(code));
  }),
  special('address16', RecordClass.micro, address(16, false)),
  special('address32', RecordClass.micro, address(32, false)),
  special('address64', RecordClass.micro, address(64, false)),
  special('checked16', RecordClass.micro, address(16, true)),
  special('checked32', RecordClass.micro, address(32, true)),
  special('absolute64', RecordClass.micro, (m) => {
    m.register(L.SLOT_EA, 64).set(m.imm64());
  }),
  special('bits32', RecordClass.micro, address(32, false, true)),
  special('bitsChecked16', RecordClass.micro, address(16, true, true)),
  special('bitsChecked32', RecordClass.micro, address(32, true, true)),
];
