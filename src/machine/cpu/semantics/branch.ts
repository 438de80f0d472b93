import type { Emitter } from '../tiers/emitter.ts';
import { RECORD_SIZE } from '../../memory/layout.ts';
import { REC_IMM } from '../tiers/record.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { conditionNames } from './move.ts';
import { branchTo, codeOffset, legacyTarget, requireCanonical } from './stack.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** The known target record, or what `link` finds for it; an empty link means that TypeScript must look. */
function follow(m: Emitter): void {
  const record = m.let(w.load32(m.pc, REC_IMM));
  m.f.if(w.eqz(record), () => {
    m.f.set(record, m.call('link'));
    m.f.if(w.eqz(record), () => m.f.return(w.i32(EXIT_STOP)));
  });
  m.goTo(record);
}
const EXIT_STOP = 4;

/** Takes the branch of a record: within its page through the link, else by address. */
function take(m: Emitter): void {
  if (m.variant === 'near') follow(m);
  else branchTo(m, codeOffset(m, m.disp()));
}

/** A conditional branch: the record of the next instruction follows this one. */
function conditional(condition: (m: Emitter) => Value): Semantics {
  return (m) => {
    const taken = m.let(condition(m));
    // A target beyond CS's limit faults before anything else changes.
    if (m.legacy) m.f.if(taken, () => void legacyTarget(m, codeOffset(m, m.disp())));
    m.takeCount();
    m.f.if(taken, () => take(m));
    m.goTo(w.add(m.pc, w.i32(RECORD_SIZE)));
  };
}

/** LOOP, LOOPE, LOOPNE, JCXZ count in rCX of the address size, which the handler's `address` says. */
function counted(condition: (m: Emitter, zero: Value) => Value, decrement: boolean): Semantics {
  return (m) => {
    const rcx = m.register(8, m.address);
    const old = m.let(rcx.get());
    const count = m.let(decrement ? w.sub(old, w.like(old, 1)) : old);
    const zero = m.let(w.eqz(m.address === 16 ? w.and(count, w.i32(0xffff)) : count));
    const taken = m.let(condition(m, zero));
    if (m.legacy) m.f.if(taken, () => void legacyTarget(m, codeOffset(m, m.disp())));
    if (decrement) rcx.set(count);
    m.takeCount();
    m.f.if(taken, () => take(m));
    m.goTo(w.add(m.pc, w.i32(RECORD_SIZE)));
  };
}

export const branches: SemanticsTable = {
  jmp(m) {
    if (m.legacy) {
      const linear = legacyTarget(m, codeOffset(m, m.disp()));
      m.takeCount();
      m.jump(linear);
      return;
    }
    m.takeCount();
    take(m);
  },
  jmp_rm(m) {
    const v = m.let(m.place(0, 'read').get());
    const target = m.let(w.unsigned64(v));
    if (!m.legacy) requireCanonical(m, target);
    const linear = m.legacy ? legacyTarget(m, target) : target;
    m.takeCount();
    m.jump(linear);
  },
  loop: counted((_, zero) => w.eqz(zero), true),
  loope: counted((m, zero) => w.and(w.eqz(zero), m.zf()), true),
  loopne: counted((m, zero) => w.and(w.eqz(zero), w.eqz(m.zf())), true),
  jcxz: counted((_, zero) => zero, false),
  ...Object.fromEntries(conditionNames.map((name, cc) => [`j${name}`, conditional((m) => m.condition(cc))])),
};
