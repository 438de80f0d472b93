import type { Cpu } from '../cpu.ts';
import { CR0 } from '../cpu.ts';
import { nm } from '../fault.ts';
import type { HelperTable } from '../helper.ts';
import * as L from '../layout.ts';
import { readMemory, writeMemory } from '../system/operands.ts';
import { initX87, setControl, setStatus } from './state.ts';
import { checkPendingX87, clearC1, computing, decrementTop, incrementTop, noWait, pop, setEmpty, waiting } from './unit.ts';

/** Control of the unit: SDM Vol. 1, 8.3.13 and 5.2.6. */

/** WAIT heeds TS only when MP says that tasks are monitored. */
function fwait(cpu: Cpu): void {
  if ((cpu.cr0bits & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) throw nm();
  checkPendingX87(cpu);
}

/** C0 to C3 and TOP: SF, the exceptions, ES and B go. */
const KEPT_BY_FNCLEX = 0x7f00;

export const control: HelperTable = {
  fninit: noWait(initX87),
  fnclex: noWait((cpu) => setStatus(cpu, cpu.u32(L.FSW) & KEPT_BY_FNCLEX)),
  fnstcw: noWait((cpu, insn) => writeMemory(cpu, insn, 16, BigInt(cpu.u32(L.FCW)))),
  fldcw: waiting((cpu, insn) => setControl(cpu, Number(readMemory(cpu, insn, 16)))),
  fnstsw_m: noWait((cpu, insn) => writeMemory(cpu, insn, 16, BigInt(cpu.u32(L.FSW)))),
  fnstsw_ax: noWait((cpu) => cpu.setGpr16(0, cpu.u32(L.FSW))),
  // FENI, FDISI and FSETPM of the 8087 and the 80287 do nothing since the 80387: SDM Vol. 3, 23.18.8.
  fnop_287: noWait(() => {}),
  fnop: computing(() => {}),
  ffree: computing((cpu, insn) => {
    clearC1(cpu);
    setEmpty(cpu, insn.rm & 7);
  }),
  ffreep: computing((cpu, insn) => {
    clearC1(cpu);
    setEmpty(cpu, insn.rm & 7);
    pop(cpu);
  }),
  fincstp: computing((cpu) => {
    clearC1(cpu);
    incrementTop(cpu);
  }),
  fdecstp: computing((cpu) => {
    clearC1(cpu);
    decrementTop(cpu);
  }),
  fwait,
};
