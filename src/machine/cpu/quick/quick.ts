import type { FunctionBuilder, Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import * as L from '../layout.ts';
import type { ImportName } from '../tiers/emitter.ts';
import { REC_B, REC_BASE, REC_DISP, REC_INDEX, REC_WHERE } from '../tiers/record.ts';
import type { FunctionNumber } from './cpu-code.ts';
import { CpuCode } from './cpu-code.ts';

/** Parameters of a quick helper: CPU block, record, budget left. It returns 1 when it did everything, 0 when nothing. */
export const QUICK_PARAMS = ['i32', 'i32', 'i32'] as const;

/**
 * What a quick helper is written against: the frequent case of an instruction whose general meaning is TypeScript, in
 * 64-bit mode. It does everything, ending with `advance` or `goTo`; or it gives up before anything changed, and the
 * helper does it.
 */
export class Quick extends CpuCode {
  readonly record: Local;
  readonly left: Local;

  constructor(f: FunctionBuilder, number: FunctionNumber) {
    super(f, number);
    this.record = f.param(1);
    this.left = f.param(2);
  }

  /** Linear address, which is RIP, of the instruction and of the next one. */
  rip(): Value {
    return w.add(this.u64(L.SLOT_CODE_PAGE), w.load32s64(this.record, REC_DISP));
  }
  nextRip(): Value {
    return w.add(this.rip(), w.unsigned64(this.length()));
  }
  length(): Value {
    return w.load8u(this.record, REC_BASE);
  }
  /** The immediate byte. */
  imm(): Value {
    return w.load8u(this.record, REC_INDEX);
  }
  /** Where the registers are that ModRM.rm and ModRM.reg name, and the number of the latter. */
  rm(): Value {
    return w.add(this.c, w.shl(w.and(w.load8u(this.record, REC_INDEX), w.i32(15)), w.i32(3)));
  }
  reg(): Value {
    return w.add(this.c, w.shl(this.regNumber(), w.i32(3)));
  }
  regNumber(): Value {
    return w.shrU(w.load8u(this.record, REC_INDEX), w.i32(4));
  }

  /** Address of a memory operand without an index: `hasSimpleAddress` of tiers/block-builder.ts. */
  simpleAddress(): Value {
    const base = w.shl(w.shrU(w.load16u(this.record, REC_WHERE), w.i32(12)), w.i32(3));
    return w.add(w.load64(w.add(this.c, base)), w.signed64(w.extend8(w.load8u(this.record, REC_INDEX))));
  }

  /** Calls a function of TypeScript, which knows from record and budget what time it is. */
  call(name: ImportName, ...args: Value[]): Value {
    const before = w.add(this.left, w.load8u(this.record, REC_B));
    return this.run(`typescript ${name}`, this.record, before, ...args);
  }

  /** Done: execution goes on at RIP `target`. */
  goTo(target: Value): void {
    this.setU64(L.SLOW_ADDRESS, target);
    this.done();
  }

  /** Done: execution goes on with the next instruction. */
  advance(): void {
    this.goTo(this.nextRip());
  }
}
