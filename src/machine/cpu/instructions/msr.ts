import { CR4, type Cpu } from '../cpu.ts';
import { gp, ud } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import { MsrSlot, msrSlot, readMsr, readTsc, writeMsr } from '../msr.ts';
import { readCounter } from '../perfmon/counters.ts';
import { requireCpl0 } from './control-register.ts';

const [RAX, RCX, RDX] = [0, 1, 2] as const;

function setEdxEax(cpu: Cpu, value: bigint): void {
  cpu.setGpr32(RAX, Number(value & 0xffff_ffffn));
  cpu.setGpr32(RDX, Number(value >> 32n));
}

const edxEax = (cpu: Cpu): bigint => (BigInt(cpu.gpr32(RDX)) << 32n) | BigInt(cpu.gpr32(RAX));

/** CR4.TSD keeps the time-stamp counter to CPL 0. */
function requireTsc(cpu: Cpu): void {
  if (cpu.cpl !== 0 && (cpu.cr4bits & CR4.TSD) !== 0) throw gp();
}

/** MSRs and counters: SDM Vol. 2, RDMSR, WRMSR, RDTSC, RDTSCP, RDPID, RDPMC. */
export const msrInstructions: HelperTable = {
  rdmsr(cpu) {
    requireCpl0(cpu);
    setEdxEax(cpu, readMsr(cpu, cpu.gpr32(RCX)));
  },
  wrmsr(cpu) {
    requireCpl0(cpu);
    writeMsr(cpu, cpu.gpr32(RCX), edxEax(cpu));
  },
  rdtsc(cpu) {
    requireTsc(cpu);
    setEdxEax(cpu, readTsc(cpu));
  },
  rdtscp(cpu) {
    if (!cpu.model.features.has('rdtscp')) throw ud();
    requireTsc(cpu);
    setEdxEax(cpu, readTsc(cpu));
    cpu.setGpr32(RCX, Number(msrSlot(cpu, MsrSlot.tscAux)));
  },
  rdpid(cpu, insn) {
    if (!cpu.model.features.has('rdpid')) throw ud();
    cpu.writeGpr(insn.rm, cpu.code64 ? 64 : 32, msrSlot(cpu, MsrSlot.tscAux));
  },
  rdpmc(cpu) {
    if (cpu.cpl !== 0 && (cpu.cr4bits & CR4.PCE) === 0 && !cpu.realMode) throw gp();
    const value = readCounter(cpu, cpu.gpr32(RCX));
    if (value === undefined) throw gp();
    setEdxEax(cpu, value);
  },
};
