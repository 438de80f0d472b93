import { CR4 } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import { FS } from '../layout.ts';
import { readLinear } from '../mmu/access.ts';
import { flushPcid, flushTlb, flushTlbPage } from '../mmu/contexts.ts';
import { advance, effectiveAddress, operandAddress } from '../system/operands.ts';
import { requireCpl0 } from './control-register.ts';

const INDIVIDUAL_ADDRESS = 0n;
const SINGLE_CONTEXT = 1n;
const LAST_TYPE = 3n;

/** INVLPG and INVPCID: SDM Vol. 2 and Vol. 3, 4.10.4.1. */
export const translationInstructions: HelperTable = {
  /** The operand is an address, not an access: no limit is checked, and a non-canonical one is no fault. */
  invlpg(cpu, insn) {
    if (!insn.isMemory) throw ud();
    requireCpl0(cpu);
    const offset = effectiveAddress(cpu, insn);
    const based = !cpu.code64 || insn.segment >= FS ? cpu.segments[insn.segment]!.base + offset : offset;
    flushTlbPage(cpu, BigInt.asUintN(cpu.code64 ? 64 : 32, based));
  },
  /** The types that spare global translations do not spare them here. */
  invpcid(cpu, insn) {
    if (!cpu.model.features.has('invpcid') || !insn.isMemory) throw ud();
    requireCpl0(cpu);
    const type = cpu.readGpr(insn.reg, cpu.code64 ? 64 : 32);
    const at = operandAddress(cpu, insn, 16, false);
    const pcid = readLinear(cpu, at, 8);
    const linear = readLinear(cpu, advance(cpu, at, 8), 8);
    if (type > LAST_TYPE || pcid > 0xfffn) throw gp();
    if (type <= SINGLE_CONTEXT && pcid !== 0n && (cpu.cr4bits & CR4.PCIDE) === 0) throw gp();
    if (type === INDIVIDUAL_ADDRESS && !cpu.canonicalBase(linear)) throw gp();
    if (type > SINGLE_CONTEXT) flushTlb(cpu);
    else flushPcid(cpu, Number(pcid), type === INDIVIDUAL_ADDRESS ? linear : undefined);
  },
};
