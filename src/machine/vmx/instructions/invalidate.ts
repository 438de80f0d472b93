import type { Cpu } from '../../cpu/cpu.ts';
import { ud } from '../../cpu/fault.ts';
import type { HelperTable } from '../../cpu/helper.ts';
import type { Insn } from '../../cpu/isa/insn.ts';
import { readLinear } from '../../cpu/mmu/access.ts';
import { advance, operandAddress } from '../../cpu/system/operands.ts';
import { eptPointerViolation } from '../ept-pointer.ts';
import { flushEptContexts, flushVpidContexts } from '../address-space.ts';
import { vmFail, vmSucceed } from '../failure.ts';
import { hasVmxFeature } from '../features.ts';
import { VmError } from '../reasons.ts';
import { hex, operandBits, requireRoot } from './preamble.ts';

/** The 128-bit descriptor in memory, as two halves. */
function readDescriptor(cpu: Cpu, insn: Insn): readonly [low: bigint, high: bigint] {
  const at = operandAddress(cpu, insn, 16, false);
  return [readLinear(cpu, at, 8), readLinear(cpu, advance(cpu, at, 8), 8)];
}

/** INVEPT and INVVPID: SDM Vol. 3, 31.3. */
export const invalidateInstructions: HelperTable = {
  invept(cpu, insn) {
    if (!hasVmxFeature(cpu.model, 'invept') || !insn.isMemory) throw ud();
    requireRoot(cpu);
    const fail = (rule: string, title: string, detail: string): void =>
      vmFail(cpu, 'invept', VmError.invalidOperand, { rule, title, section: '31.3 INVEPT', detail });
    const type = cpu.readGpr(insn.reg, operandBits(cpu));
    if (type !== 1n && type !== 2n) {
      fail('invept.type', 'the INVEPT type must be 1 (single-context) or 2 (all-context)', `type ${type}`);
      return;
    }
    const [eptp, reserved] = readDescriptor(cpu, insn);
    if (reserved !== 0n) {
      fail('invept.reserved', 'bits 127:64 of the INVEPT descriptor must be 0', `bits 127:64 are ${hex(reserved)}`);
      return;
    }
    const violation = type === 1n ? eptPointerViolation(cpu.model, eptp) : undefined;
    if (violation !== undefined) {
      fail('invept.eptp', 'the EPTP must be one that VM entry would accept', `EPTP ${hex(eptp)}: ${violation}`);
      return;
    }
    flushEptContexts(cpu, type === 1n ? eptp : undefined);
    vmSucceed(cpu);
  },

  invvpid(cpu, insn) {
    if (!hasVmxFeature(cpu.model, 'invvpid') || !insn.isMemory) throw ud();
    requireRoot(cpu);
    const fail = (rule: string, title: string, detail: string): void =>
      vmFail(cpu, 'invvpid', VmError.invalidOperand, { rule, title, section: '31.3 INVVPID', detail });
    const type = cpu.readGpr(insn.reg, operandBits(cpu));
    if (type > 3n) {
      fail('invvpid.type', 'the INVVPID type must be 0 to 3', `type ${type}`);
      return;
    }
    const [low, linear] = readDescriptor(cpu, insn);
    if (low > 0xffffn) {
      fail('invvpid.reserved', 'bits 63:16 of the INVVPID descriptor must be 0', `bits 63:0 are ${hex(low)}`);
      return;
    }
    if (type !== 2n && low === 0n) {
      fail('invvpid.vpid', 'the VPID must not be 0000H', `type ${type}`);
      return;
    }
    if (type === 0n && !cpu.canonical(linear)) {
      fail('invvpid.address', 'the linear address must be canonical', `linear address ${hex(linear)}`);
      return;
    }
    flushVpidContexts(cpu, type === 2n ? undefined : Number(low));
    vmSucceed(cpu);
  },
};
