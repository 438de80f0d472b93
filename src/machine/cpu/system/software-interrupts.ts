import { Activity, Flag, type Cpu } from '../cpu.ts';
import type { HelperTable } from '../helper.ts';
import { GuestFault, gp, ud, Vector } from '../fault.ts';
import type { Insn } from '../isa/insn.ts';
import * as L from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { mpxEnabled } from '../mpx/state.ts';
import { advance, bytesOf, operandAddress } from './operands.ts';
import { raise } from './raise.ts';
import { redirectInterrupt } from './virtual-interrupts.ts';

/** In v8086 mode INT n needs IOPL 3 or goes to the 8086 program; INT3 and INTO do not: SDM Vol. 3, 20.3.3. */
function intN(cpu: Cpu, insn: Insn): void {
  const vector = Number(insn.imm & 0xffn);
  if (!cpu.realMode && cpu.v8086 && redirectInterrupt(cpu, vector)) return;
  raise(cpu, { vector, type: 'software', errorCode: undefined, length: insn.length });
}

function into(cpu: Cpu, insn: Insn): void {
  if (cpu.code64) throw ud();
  if ((cpu.rflags & Flag.OF) !== 0) raise(cpu, { vector: Vector.OF, type: 'software-exception', errorCode: undefined, length: insn.length });
}

/** SDM Vol. 2, BOUND: the index and both bounds are signed and the bounds are inclusive. */
function bound(cpu: Cpu, insn: Insn): void {
  if (cpu.code64 || !insn.isMemory) throw ud();
  const size = bytesOf(insn.opsize);
  const at = operandAddress(cpu, insn, size * 2, false);
  const lower = BigInt.asIntN(insn.opsize, readLinear(cpu, at, size));
  const upper = BigInt.asIntN(insn.opsize, readLinear(cpu, advance(cpu, at, size), size));
  const index = BigInt.asIntN(insn.opsize, cpu.readGpr(insn.reg, insn.opsize));
  if (index >= lower && index <= upper) return;
  if (mpxEnabled(cpu)) cpu.setU64(L.BNDSTATUS, 0n); // SDM Vol. 1, 17.5.4
  throw new GuestFault(Vector.BR);
}

function hlt(cpu: Cpu): void {
  if (!cpu.realMode && cpu.cpl !== 0) throw gp();
  cpu.activity = Activity.hlt;
  cpu.machine.kick();
}

const undefinedInstruction = (): never => {
  throw ud();
};

export const softwareInterruptInstructions: HelperTable = {
  int_n: intN,
  int3: (cpu, insn) => raise(cpu, { vector: Vector.BP, type: 'software-exception', errorCode: undefined, length: insn.length }),
  int1: (cpu, insn) => raise(cpu, { vector: Vector.DB, type: 'privileged-software', errorCode: undefined, length: insn.length }),
  into,
  bound,
  hlt,
  ud: undefinedInstruction,
  // There is no system-management mode to resume from: SDM Vol. 2, RSM.
  rsm: undefinedInstruction,
};
