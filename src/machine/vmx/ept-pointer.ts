import type { CpuModel } from '../cpu/models/model.ts';
import { hasVmxFeature } from './features.ts';

/** What VM entry and INVEPT ask of an EPTP: SDM Vol. 3, 27.2.1.1 and table 25-9. */
export const eptPointerChecks: readonly { readonly id: string; readonly title: string; holds(model: CpuModel, eptp: bigint): boolean }[] = [
  {
    id: 'memory-type',
    title: 'the memory type (bits 2:0) must be one that IA32_VMX_EPT_VPID_CAP reports (0 or 6)',
    holds: (_, eptp) => [0n, 6n].includes(eptp & 7n),
  },
  { id: 'walk-length', title: 'bits 5:3 must be 3 (page-walk length 4)', holds: (_, eptp) => ((eptp >> 3n) & 7n) === 3n },
  {
    id: 'accessed-dirty',
    title: 'bit 6 must be 0 where accessed and dirty flags for EPT are not offered',
    holds: (model, eptp) => (eptp & 0x40n) === 0n || hasVmxFeature(model, 'ept-ad'),
  },
  {
    id: 'reserved',
    title: 'bits 11:7 and those beyond the physical-address width must be 0',
    holds: (model, eptp) => (eptp & 0xf80n) === 0n && eptp >> BigInt(model.physicalBits) === 0n,
  },
];

/** Why VM entry would refuse an EPTP, or undefined. */
export function eptPointerViolation(model: CpuModel, eptp: bigint): string | undefined {
  return eptPointerChecks.find((c) => !c.holds(model, eptp))?.title;
}
