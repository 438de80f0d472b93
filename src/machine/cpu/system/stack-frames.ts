import type { Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { ud } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import { SS } from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { bytesOf, effectiveAddress, linearOf, mask } from './operands.ts';
import { probeWrite, writeLinear } from '../mmu/access.ts';
import { currentStack, stackWidth } from './stack.ts';

type SlotSize = 2 | 4 | 8;
const RSP = 4;
const RBP = 5;

/** SDM Vol. 2, ENTER. */
function enter(cpu: Cpu, insn: Insn): void {
  const size = bytesOf(insn.opsize) as SlotSize;
  const width = stackWidth(cpu);
  const level = insn.imm2 & 31;
  const stack = currentStack(cpu);
  stack.push(cpu.readGpr(RBP, insn.opsize), size);
  // A 16-bit stack's frame pointer keeps the rest of ESP: "FrameTemp := ESP".
  const frame = cpu.rsp - mask(cpu.rsp, width) + stack.sp;
  if (level > 0) {
    let bp = cpu.readGpr(RBP, width);
    for (let n = 1; n < level; n++) {
      bp = mask(bp - BigInt(size), width);
      const pointer = linearOf(cpu, SS, bp, size, false);
      readLinear(cpu, pointer, size); // a fault comes before any push
      stack.push(() => readLinear(cpu, pointer, size), size);
    }
    stack.push(frame, size);
  }
  const end = mask(stack.sp - mask(insn.imm, 16), width);
  // The final stack pointer must be writable too: "#SS(0) / #PF ... if a write using the final value would fault".
  stack.probe();
  probeWrite(cpu, linearOf(cpu, SS, end, 1, true), 1);
  stack.write();
  cpu.writeGpr(RBP, insn.opsize, mask(frame, insn.opsize));
  cpu.writeGpr(RSP, width, end);
}

/** PUSHA and PUSHAD: SDM Vol. 2. */
function pusha(cpu: Cpu, insn: Insn): void {
  if (cpu.code64) throw ud();
  const stack = currentStack(cpu);
  for (let n = 0; n < 8; n++) stack.push(cpu.readGpr(n, insn.opsize), bytesOf(insn.opsize) as SlotSize);
  stack.commit();
}

/** POPA and POPAD; the image of SP is skipped. */
function popa(cpu: Cpu, insn: Insn): void {
  if (cpu.code64) throw ud();
  const size = bytesOf(insn.opsize) as SlotSize;
  const stack = currentStack(cpu);
  const values = Array.from({ length: 8 }, () => stack.pop(size));
  stack.commit();
  values.forEach((value, n) => {
    if (7 - n !== RSP) cpu.writeGpr(7 - n, insn.opsize, value);
  });
}

/** POP r/m: an address based on RSP uses its value after the pop: SDM Vol. 2, POP. */
function popRm(cpu: Cpu, insn: Insn): void {
  const size = bytesOf(insn.opsize) as SlotSize;
  const width = stackWidth(cpu);
  const stack = currentStack(cpu);
  const value = stack.pop(size);
  if (!insn.isMemory) {
    stack.commit();
    cpu.writeGpr(insn.rm, insn.opsize, value);
    return;
  }
  const grown = stack.sp - mask(cpu.rsp, width);
  const offset = mask(effectiveAddress(cpu, insn) + (insn.base === RSP ? grown : 0n), insn.addrsize);
  writeLinear(cpu, linearOf(cpu, insn.segment, offset, size, true), size, value);
  stack.commit();
}

/** SDM Vol. 2, XLAT: AL is an unsigned index. */
function xlat(cpu: Cpu, insn: Insn): void {
  const offset = mask(cpu.gpr(3) + BigInt(cpu.gpr8(0, 0)), insn.addrsize);
  cpu.setGpr8(0, 0, Number(readLinear(cpu, linearOf(cpu, insn.segment, offset, 1, false), 1)));
}

export const stackFrameInstructions: HelperTable = { enter, pusha, popa, pop_rm: popRm, xlat };
