import type { Emitter } from '../tiers/emitter.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import { conditionNames } from './move.ts';
import { codeOffset, legacyTarget, requireCanonical } from './stack.ts';
import type { Semantics, SemanticsTable } from './semantics.ts';

/** Takes the direct branch of a record. */
function take(m: Emitter): void {
  m.branch(() => {
    const offset = codeOffset(m, m.disp());
    return m.legacy ? legacyTarget(m, offset) : offset;
  });
}

/** A conditional branch: the record of the next instruction follows this one. */
function conditional(condition: (m: Emitter) => Value): Semantics {
  return (m) => {
    const taken = m.let(condition(m));
    // A target beyond CS's limit faults before anything else changes.
    if (m.legacy) m.f.if(taken, () => void legacyTarget(m, codeOffset(m, m.disp())));
    m.takeCount();
    m.f.if(taken, () => take(m));
    m.next();
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
    m.next();
  };
}

export const branches: SemanticsTable = {
  jmp(m) {
    if (m.legacy) {
      const linear = legacyTarget(m, codeOffset(m, m.disp()));
      m.takeCount();
      m.branch(() => linear);
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
    m.jumpIndirect(linear);
  },
  loop: counted((_, zero) => w.eqz(zero), true),
  loope: counted((m, zero) => w.and(w.eqz(zero), m.zf()), true),
  loopne: counted((m, zero) => w.and(w.eqz(zero), w.eqz(m.zf())), true),
  jcxz: counted((_, zero) => zero, false),
  ...Object.fromEntries(conditionNames.map((name, cc) => [`j${name}`, conditional((m) => m.condition(cc))])),
};
