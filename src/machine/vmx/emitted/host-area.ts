import * as L from '../../cpu/layout.ts';
import { MsrSlot, msrSlotOffset } from '../../cpu/msr/row.ts';
import type { Value } from '../../cpu/wasm/value.ts';
import * as w from '../../cpu/wasm/value.ts';
import { Exit } from '../controls.ts';
import { F, type VmcsField } from '../fields.ts';
import { FieldCode } from './field-code.ts';

const SYSENTER_CS = msrSlotOffset(MsrSlot.sysenterCs);
const UNUSABLE = 0x1_0000;
/** Access rights of SDM Vol. 3, 28.5.2: present, accessed, DPL 0, 4-GByte limit. */
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;

/** What is loaded as it is: SDM Vol. 3, 28.5. */
const registers: readonly (readonly [slot: number, field: VmcsField])[] = [
  [L.CR3, F.hostCr3],
  [SYSENTER_CS, F.hostSysenterCs],
  [msrSlotOffset(MsrSlot.sysenterEsp), F.hostSysenterEsp],
  [msrSlotOffset(MsrSlot.sysenterEip), F.hostSysenterEip],
  [L.GDTR_BASE, F.hostGdtrBase],
  [L.IDTR_BASE, F.hostIdtrBase],
  [L.GPR + 4 * 8, F.hostRsp],
  [L.RIP, F.hostRip],
  [L.NEXT_RIP, F.hostRip],
];

const data: readonly (readonly [segment: number, selector: VmcsField<16>, base?: VmcsField<'natural'>])[] = [
  [L.ES, F.hostEsSelector],
  [L.SS, F.hostSsSelector],
  [L.DS, F.hostDsSelector],
  [L.FS, F.hostFsSelector, F.hostFsBase],
  [L.GS, F.hostGsSelector, F.hostGsBase],
];

/** But for CR0, CR4, IA32_EFER, RFLAGS and CPL, and what depends on controls. */
export function loadHostArea(): FieldCode {
  const code = new FieldCode();
  for (const [slot, field] of registers) code.load(slot, field);
  code.set(SYSENTER_CS + 4, w.i32(0));
  code.set(L.GDTR_LIMIT, w.i32(0xffff));
  code.set(L.IDTR_LIMIT, w.i32(0xffff));
  code.set(L.DR0 + 7 * 8, w.i64(0x400));
  code.set(msrSlotOffset(MsrSlot.debugctl), w.i64(0));
  code.set(L.PENDING_DEBUG, w.i64(0));
  const all = w.i32(-1);
  const rights = (selector: Value): Value => w.select(selector, w.i32(DATA), w.i32(UNUSABLE));
  for (const [n, selector, base] of data) {
    code.segment(n, code.field(selector), base ? code.field(base) : w.i64(0), all, rights(code.field(selector)));
  }
  const long = w.and(code.field(F.exitControls), w.i32(Exit.hostAddressSpaceSize));
  code.segment(L.CS, code.field(F.hostCsSelector), w.i64(0), all, w.select(long, w.i32(CODE_64), w.i32(CODE_32)));
  code.segment(L.LDTR, w.i32(0), w.i64(0), w.i32(0), w.i32(UNUSABLE));
  code.segment(L.TR, code.field(F.hostTrSelector), code.field(F.hostTrBase), w.i32(0x67), w.i32(BUSY_TSS));
  return code;
}
