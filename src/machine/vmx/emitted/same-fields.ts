import { Flag } from '../../cpu/cpu.ts';
import { FunctionBuilder } from '../../cpu/wasm/function.ts';
import type { Value } from '../../cpu/wasm/value.ts';
import * as w from '../../cpu/wasm/value.ts';
import { F, fields, type VmcsField } from '../fields.ts';

/** Bits of RFLAGS that no check of VM entry asks for. */
const RFLAGS_FREE = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.DF | Flag.OF;

/** The bits of a field that the checks of VM entry ask for: of RIP its upper half. */
function asked(f: VmcsField): bigint {
  if (f.class === 'exit' || f === F.guestRsp) return 0n;
  if (f === F.guestRip) return 0xffff_ffff_0000_0000n;
  if (f === F.guestRflags) return 0xffff_ffff_ffff_ffffn & ~BigInt(RFLAGS_FREE);
  return f.width === 16 ? 0xffffn : f.width === 32 ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn;
}

/** Fields are compared in groups: what differs is often among the first. */
const GROUP = 16;

/** (VMCS, copy of one): 1 when all that VM entry checks is the same in both, else 0. */
export function sameFields(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32'], 'i32');
  const compared = fields.filter((field) => asked(field) !== 0n);
  for (let n = 0; n < compared.length; n += GROUP) {
    const differences = compared.slice(n, n + GROUP).map((field): Value => {
      const difference = w.xor(w.load64(f.param(0), field.offset), w.load64(f.param(1), field.offset));
      return asked(field) === 0xffff_ffff_ffff_ffffn ? difference : w.and(difference, w.i64(asked(field)));
    });
    f.if(
      w.ne(
        differences.reduce((a, b) => w.or(a, b)),
        w.i64(0),
      ),
      () => f.return(w.i32(0)),
    );
  }
  f.return(w.i32(1));
  return f;
}
