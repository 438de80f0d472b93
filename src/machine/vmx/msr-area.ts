import type { Cpu } from '../cpu/cpu.ts';
import { GuestFault } from '../cpu/fault.ts';
import * as L from '../cpu/layout.ts';
import { readMsr, writeMsr } from '../cpu/msr.ts';
import { MSR_AREA_MAXIMUM } from './capabilities.ts';
import type { PhysAddr } from '../memory/address.ts';
import type { VmcsField } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/** The MSR areas: SDM Vol. 3, 25.7.2 and table 25-15. An entry is index (32 bits), reserved (32 bits), data (64 bits). */
const ENTRY_SIZE = 16;

/** MSRs that no area may load: segment bases, which the guest-state area has, and SMM's and microcode's (27.4, 28.6). */
const NOT_LOADED: ReadonlyMap<number, string> = new Map([
  [0xc000_0100, 'IA32_FS_BASE is loaded from the FS base field'],
  [0xc000_0101, 'IA32_GS_BASE is loaded from the GS base field'],
  [0x79, 'IA32_BIOS_UPDT_TRIG may not be loaded'],
  [0x9b, 'IA32_SMM_MONITOR_CTL may be written in SMM only'],
]);
const IA32_SMBASE = 0x9e;

export interface MsrAreaFailure {
  /** Number of the entry, from 1: the exit qualification of a failed VM entry (27.8). */
  readonly entry: number;
  readonly detail: string;
}

/** x2APIC registers are not for MSR areas while the local APIC is in x2APIC mode. */
const isX2apic = (cpu: Cpu, index: number): boolean => index >>> 8 === 8 && (cpu.u64(L.APIC_BASE) & 0xc00n) === 0xc00n;

type Transfer = (cpu: Cpu, index: number, at: PhysAddr) => void;

function forEach(
  cpu: Cpu,
  vmcs: Vmcs,
  addressField: VmcsField<64>,
  countField: VmcsField<32>,
  refused: (index: number) => string | undefined,
  transfer: Transfer,
): MsrAreaFailure | undefined {
  const count = vmcs.num(countField);
  if (count === 0) return undefined;
  const { memory } = cpu.machine;
  const address = vmcs.big(addressField);
  for (let n = 0; n < count; n++) {
    const at: PhysAddr = Number(address) + n * ENTRY_SIZE;
    // Beyond the recommended maximum behaviour is undefined; here the area ends in an error, so that runs repeat (A.6).
    if (n >= MSR_AREA_MAXIMUM) {
      return { entry: n + 1, detail: `entry ${n + 1} of ${count} at 0x${at.toString(16)}: IA32_VMX_MISC recommends at most ${MSR_AREA_MAXIMUM}` };
    }
    const index = memory.read(at, 4);
    const reserved = memory.read(at + 4, 4);
    const failure = (why: string): MsrAreaFailure => ({
      entry: n + 1,
      detail: `entry ${n + 1} at 0x${at.toString(16)}, MSR 0x${index.toString(16)}: ${why}`,
    });
    if (reserved !== 0) return failure('bits 63:32 must be 0');
    if (isX2apic(cpu, index)) return failure('a register of the local APIC in x2APIC mode');
    const why = refused(index);
    if (why !== undefined) return failure(why);
    try {
      transfer(cpu, index, at + 8);
    } catch (fault) {
      if (!(fault instanceof GuestFault)) throw fault;
      return failure(`value 0x${memory.read64(at + 8).toString(16)}: access would cause #GP`);
    }
  }
  return undefined;
}

/** SDM Vol. 3, 27.4 and 28.6: loads in order; the first refused entry ends it. */
export function loadMsrArea(cpu: Cpu, vmcs: Vmcs, address: VmcsField<64>, count: VmcsField<32>): MsrAreaFailure | undefined {
  return forEach(
    cpu,
    vmcs,
    address,
    count,
    (index) => (index === IA32_SMBASE ? 'IA32_SMBASE may not be written' : NOT_LOADED.get(index)),
    (_, index, at) => writeMsr(cpu, index, cpu.machine.memory.read64(at)),
  );
}

/** SDM Vol. 3, 28.4. */
export function storeMsrArea(cpu: Cpu, vmcs: Vmcs, address: VmcsField<64>, count: VmcsField<32>): MsrAreaFailure | undefined {
  return forEach(
    cpu,
    vmcs,
    address,
    count,
    (index) => (index === IA32_SMBASE ? 'IA32_SMBASE may be read in SMM only' : undefined),
    (_, index, at) => cpu.machine.memory.write64(at, readMsr(cpu, index)),
  );
}
