import { Activity, CR0, VmxMode, type Cpu } from '../cpu.ts';
import { loadControlRegisters } from '../control-registers.ts';
import { DR6_RESET, DR7_RESET } from '../debug-registers.ts';
import * as L from '../layout.ts';
import { resetTlb } from '../mmu/contexts.ts';
import { flushTlbAll } from '../mmu/tlb.ts';
import { resetMpx } from '../mpx/state.ts';
import type { CpuModel } from '../models/model.ts';
import { resetMsrs } from '../msr.ts';
import { seedRandom } from '../instructions/random.ts';
import { setRip } from './operands.ts';
import { REAL_DATA, setCodeSegment } from './segments.ts';

/** CS after reset and SIPI: SDM Vol. 3, table 9-1 says present, read/write, accessed; real processors report a code type. */
const REAL_CODE = 0x9b;
const LDT_PRESENT = 0x82;
const TSS_BUSY = 0x8b;

/** Family, model and stepping as in CPUID.01H:EAX, which EDX holds after reset: SDM Vol. 2, CPUID, figure 3-6. */
export function signature(model: CpuModel): number {
  const family = Math.min(model.family, 15);
  const extended = model.family - family;
  return (extended << 20) | ((model.model >> 4) << 16) | (family << 8) | ((model.model & 15) << 4) | model.stepping;
}

/** Power-on or RESET, and INIT, which keeps the x87, SSE and memory-type state and the MSRs (but for MPX): SDM Vol. 3, 9.1.1 and table 9-1. */
export function resetCpu(cpu: Cpu, kind: 'power-on' | 'init'): void {
  if (kind === 'power-on') {
    cpu.guest = null;
    cpu.setU32(L.VMX_MODE, VmxMode.off);
    cpu.setU32(L.TLB_CONTEXT, 0);
    resetTlb(cpu);
    resetMsrs(cpu);
    resetVectors(cpu);
    seedRandom(cpu);
  }
  resetMpx(cpu);
  for (let n = 0; n < 16; n++) cpu.setGpr(n, 0n);
  cpu.setGpr(2, BigInt(signature(cpu.model)));
  cpu.rflags = 2;
  const kept = kind === 'init' ? cpu.cr0bits & (CR0.CD | CR0.NW) : CR0.CD | CR0.NW;
  cpu.cr2 = 0n;
  for (let n = 0; n < 4; n++) cpu.setDr(n, 0n);
  cpu.setDr(6, DR6_RESET);
  cpu.setDr(7, DR7_RESET);
  for (const n of [L.ES, L.SS, L.DS, L.FS, L.GS]) cpu.segments[n]!.load(0, 0n, 0xffff, REAL_DATA);
  cpu.segments[L.LDTR]!.load(0, 0n, 0xffff, LDT_PRESENT);
  cpu.segments[L.TR]!.load(0, 0n, 0xffff, TSS_BUSY);
  for (const [base, limit] of [[L.GDTR_BASE, L.GDTR_LIMIT], [L.IDTR_BASE, L.IDTR_LIMIT]] as const) {
    cpu.setU64(base, 0n);
    cpu.setU32(limit, 0xffff);
  } // prettier-ignore
  loadControlRegisters(cpu, { cr0: BigInt((kept | CR0.ET) >>> 0), cr3: 0n, cr4: 0n, efer: 0n });
  flushTlbAll(cpu);
  setCodeSegment(cpu, 0xf000, 0xffff_0000n, 0xffff, REAL_CODE, 0);
  setRip(cpu, 0xfff0n);
  cpu.interruptibility = 0;
  cpu.setU64(L.PENDING_DEBUG, 0n);
  const outside = L.Pending.sipi | L.Pending.nmi | L.Pending.interrupt; // what comes from the APIC outlives an INIT
  cpu.clear(L.Pending.init | L.Pending.debug | L.Pending.window | (kind === 'power-on' ? outside : 0));
  // Processors other than the bootstrap processor wait for a SIPI: SDM Vol. 3, 8.4.3.
  cpu.activity = cpu.index === 0 ? Activity.active : Activity.waitForSipi;
}

function resetVectors(cpu: Cpu): void {
  cpu.m.u8.fill(0, cpu.block + L.VECTORS, cpu.block + L.VECTORS + 16 * L.VECTOR_SIZE);
  cpu.m.u8.fill(0, cpu.block + L.FPR, cpu.block + L.FPR + 128);
  cpu.setU32(L.MXCSR, 0x1f80);
  cpu.setU32(L.FCW, 0x40);
  cpu.setU32(L.FSW, 0);
  cpu.setU32(L.FTW, 0);
  cpu.setU32(L.FOP, 0);
  cpu.setU64(L.FIP, 0n);
  cpu.setU64(L.FDP, 0n);
  cpu.setU32(L.FCS, 0);
  cpu.setU32(L.FDS, 0);
  cpu.setU64(L.XCR0, 1n);
  cpu.setU32(L.PKRU, 0);
}

/** A start-up IPI: SDM Vol. 3, 8.4.3 and 10.6.1. Ignored unless the processor waits for one. */
export function startup(cpu: Cpu, vector: number): void {
  if (cpu.activity !== Activity.waitForSipi) return;
  setCodeSegment(cpu, vector << 8, BigInt(vector) << 12n, 0xffff, REAL_CODE, 0);
  setRip(cpu, 0n);
  cpu.activity = Activity.active;
}
