import * as L from '../../cpu/layout.ts';
import { MsrSlot, msrSlotOffset } from '../../cpu/msr/row.ts';
import * as w from '../../cpu/wasm/value.ts';
import { F, guestSegments, type VmcsField } from '../fields.ts';
import { FieldCode } from './field-code.ts';

const SYSENTER_CS = msrSlotOffset(MsrSlot.sysenterCs);
/** The bits of access rights that exist. */
const RIGHTS = 0x1_f0ff;

/** What entries load and exits save as it is: SDM Vol. 3, 27.3.2 and 28.3. */
const registers: readonly (readonly [slot: number, field: VmcsField])[] = [
  [L.CR3, F.guestCr3],
  [L.CR4, F.guestCr4],
  [SYSENTER_CS, F.guestSysenterCs],
  [msrSlotOffset(MsrSlot.sysenterEsp), F.guestSysenterEsp],
  [msrSlotOffset(MsrSlot.sysenterEip), F.guestSysenterEip],
  [L.GDTR_BASE, F.guestGdtrBase],
  [L.GDTR_LIMIT, F.guestGdtrLimit],
  [L.IDTR_BASE, F.guestIdtrBase],
  [L.IDTR_LIMIT, F.guestIdtrLimit],
  [L.GPR + 4 * 8, F.guestRsp],
  [L.RIP, F.guestRip],
];

/** But for CR0, IA32_EFER, RFLAGS, CPL, activity and interruptibility, and what depends on controls. */
export function loadGuestArea(): FieldCode {
  const code = new FieldCode();
  for (const [slot, field] of registers) code.load(slot, field);
  code.load(L.NEXT_RIP, F.guestRip);
  code.set(SYSENTER_CS + 4, w.i32(0));
  for (const [n, s] of guestSegments.entries()) {
    // An unusable register keeps what the SDM calls undefined; the bases of SS, DS and ES are cut to 32 bits.
    const cut = n === L.SS || n === L.DS || n === L.ES;
    const base = cut ? w.load32u64(code.vmcs, s.base.offset) : code.field(s.base);
    code.segment(n, code.field(s.selector), base, code.field(s.limit), w.and(code.field(s.accessRights), w.i32(RIGHTS)));
  }
  return code;
}

/** But for RFLAGS and what depends on controls. */
export function saveGuestArea(): FieldCode {
  const code = new FieldCode();
  for (const [slot, field] of registers) code.save(slot, field);
  code.save(L.CR0, F.guestCr0);
  code.save(L.ACTIVITY, F.guestActivity);
  code.save(L.INTERRUPTIBILITY, F.guestInterruptibility);
  code.save(L.PENDING_DEBUG, F.guestPendingDebug);
  for (const [n, s] of guestSegments.entries()) {
    const at = L.SEGMENTS + n * L.SEGMENT_SIZE;
    code.save(at + L.SEG_SELECTOR, s.selector);
    code.save(at + L.SEG_BASE, s.base);
    code.save(at + L.SEG_LIMIT, s.limit);
    if (n !== L.SS) code.save(at + L.SEG_ATTR, s.accessRights);
  }
  // SS.DPL is the CPL, also of an unusable SS (25.4.1).
  const rights = w.load32(code.c, L.SEGMENTS + L.SS * L.SEGMENT_SIZE + L.SEG_ATTR);
  code.setField(F.guestSsAccessRights, w.or(w.and(rights, w.i32(~0x60)), w.shl(w.load32(code.c, L.CPL), w.i32(5))));
  return code;
}
