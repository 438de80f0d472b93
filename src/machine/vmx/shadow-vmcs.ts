import type { Cpu } from '../cpu/cpu.ts';
import type { PhysAddr } from '../memory/address.ts';
import { Secondary } from './controls.ts';
import { secondaryControls } from './execution-controls.ts';
import { F, REVISION_ID, type VmcsField } from './fields.ts';
import { NO_VMCS } from './state.ts';
import { Vmcs } from './vmcs.ts';

/** VMCS shadowing: SDM Vol. 3, 25.10 and 31.3 (VMREAD, VMWRITE). Bit 31 of the region's first word marks a shadow VMCS. */
export const SHADOW_INDICATOR = 0x8000_0000;
export const SHADOW_REVISION = (REVISION_ID | SHADOW_INDICATOR) >>> 0;

/** Encodings that the bitmaps cover: bits 14:0. */
const BITMAP_ENCODINGS = 0x8000n;

/** Does VMREAD or VMWRITE of this encoding cause a VM exit in non-root operation? SDM Vol. 3, 26.1.3. */
export function shadowAccessExits(cpu: Cpu, vmcs: Vmcs, bitmap: VmcsField<64>, encoding: bigint): boolean {
  if ((secondaryControls(vmcs) & Secondary.vmcsShadowing) === 0 || encoding >= BITMAP_ENCODINGS) return true;
  const n = Number(encoding);
  return ((cpu.machine.memory.read(Number(vmcs.big(bitmap)) + (n >> 3), 1) >> (n & 7)) & 1) === 1;
}

/** The VMCS that the link pointer names, which VMREAD and VMWRITE of the guest access; undefined: no pointer. */
export function linkedVmcs(cpu: Cpu, vmcs: Vmcs): Vmcs | undefined {
  const pointer = vmcs.big(F.vmcsLinkPointer);
  const address: PhysAddr = Number(pointer);
  return pointer === NO_VMCS || !cpu.machine.memory.isRam(address) ? undefined : new Vmcs(cpu.machine.memory, address);
}
