import { FIELD_TABLE, PAGE_MARKS, RAM } from '../../memory/layout.ts';
import { FieldEncoding, FieldEntry } from '../../vmx/field-table.ts';
import { VMCS_POINTER } from '../../vmx/state.ts';
import { VmxMode } from '../cpu.ts';
import * as L from '../layout.ts';
import type { Local } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';
import type { Quick } from './quick.ts';
import { setArithmeticFlags } from './rflags.ts';

/** What both need: VMX root operation at CPL 0 with a current VMCS, and the entry of a field that exists. */
function fieldEntry(q: Quick, flag: number): { readonly pointer: Local; readonly entry: Local } {
  q.giveUpIf(w.or(q.u32(L.CPL), w.xor(q.u32(L.VMX_MODE), w.i32(VmxMode.root))));
  q.giveUpIf(w.eq(q.u32(VMCS_POINTER + 4), w.i32(-1)));
  const pointer = q.let(q.u32(VMCS_POINTER));
  const encoding = q.let(w.load64(q.reg()));
  q.giveUpIf(w.ne(w.and(encoding, w.i64(~FieldEncoding.used)), w.i64(0)));
  const e = q.let(w.wrap(encoding));
  const index = w.shrU(w.and(e, w.i32(FieldEncoding.index)), w.i32(1));
  const at = w.or(w.shl(w.shrU(e, w.i32(FieldEncoding.class)), w.i32(FieldEncoding.indexBits)), index);
  const entry = q.let(w.load16u(w.shl(at, w.i32(1)), FIELD_TABLE));
  q.giveUpIf(w.eqz(w.and(entry, w.i32(flag))));
  return { pointer, entry };
}

const address = (pointer: Local, entry: Local): Value => w.add(pointer, w.and(entry, w.i32(FieldEntry.offset)));

/** VMREAD of a whole field to a register: SDM Vol. 3, 31.3. */
export function vmread(q: Quick): void {
  const { pointer, entry } = fieldEntry(q, FieldEntry.readable);
  const unused = q.let(w.unsigned64(w.shl(w.and(entry, w.i32(FieldEntry.unused)), w.i32(4))));
  const slot = w.load64(address(pointer, entry), RAM);
  q.f.do(w.store64(q.rm(), w.shrU(w.shl(slot, unused), unused)));
  succeed(q);
}

/** VMWRITE of a whole field from a register. A page that is watched, or holds decoded code, is left to TypeScript. */
export function vmwrite(q: Quick): void {
  const { pointer, entry } = fieldEntry(q, FieldEntry.writable);
  q.giveUpIf(w.load8u(w.shrU(pointer, w.i32(12)), PAGE_MARKS));
  const at = q.let(address(pointer, entry));
  const value = q.let(w.load64(q.rm()));
  const unused = q.let(w.and(entry, w.i32(FieldEntry.unused)));
  q.f.if(
    w.eqz(unused),
    () => q.f.do(w.store64(at, value, RAM)),
    () =>
      q.f.if(
        w.eq(unused, w.i32(2)),
        () => q.f.do(w.store32(at, w.wrap(value), RAM)),
        () => q.f.do(w.store16(at, w.wrap(value), RAM)),
      ),
  );
  succeed(q);
}

/** VMsucceed: all arithmetic flags are 0. */
function succeed(q: Quick): void {
  setArithmeticFlags(q, w.i32(0));
  q.advance();
}
