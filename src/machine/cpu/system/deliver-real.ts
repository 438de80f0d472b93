import { Flag, type Cpu } from '../cpu.ts';
import { gp, type GuestEvent } from '../fault.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { checkTarget, enterRealCode } from './code-segment.ts';
import { externalBit } from './event-rules.ts';
import { mask } from './operands.ts';
import { loadFlags } from './rflags.ts';
import { currentStack } from './stack.ts';

/** Through the interrupt vector table; error codes are not pushed: SDM Vol. 3, 20.1.4. */
export function deliverReal(cpu: Cpu, event: GuestEvent, flags: number, returnRip: bigint): void {
  const at = event.vector * 4;
  const ext = externalBit(event);
  if (at + 3 > cpu.u32(L.IDTR_LIMIT)) throw gp(event.vector * 8 + 2 + ext);
  const entry = Number(readLinear(cpu, mask(cpu.u64(L.IDTR_BASE) + BigInt(at), 32), 4, true));
  const stack = currentStack(cpu, { errorCode: ext });
  stack.push(BigInt(flags), 2);
  stack.push(BigInt(cpu.segments[L.CS]!.selector), 2);
  stack.push(returnRip, 2);
  const rip = BigInt(entry & 0xffff);
  checkTarget(cpu, cpu.segments[L.CS]!, rip, ext);
  stack.commit();
  enterRealCode(cpu, undefined, entry >>> 16, rip);
  loadFlags(cpu, 0, Flag.IF | Flag.TF | Flag.AC | Flag.RF);
}
