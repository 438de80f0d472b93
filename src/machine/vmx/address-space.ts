import type { Cpu } from '../cpu/cpu.ts';
import { flushContexts, flushTlb, switchContext } from '../cpu/mmu/tlb.ts';
import { Secondary } from './controls.ts';
import { secondaryControls } from './execution-controls.ts';
import { F } from './fields.ts';
import type { Vmcs } from './vmcs.ts';

/**
 * Which TLB context belongs to which address space: SDM Vol. 3, 29.4. Translations are tagged with VPID and EPTP; VMX root
 * operation has VPID 0000H. Without "enable VPID" the guest uses VPID 0000H too, and VM entries and exits flush it.
 */
export const ROOT_CONTEXT = 'root';
const PREFIX = 'guest';

const contextKey = (vpid: number, eptp: bigint): string => `${PREFIX} ${vpid} ${eptp.toString(16)}`;

/** Selects the guest's context. Call before the guest's control registers are loaded. */
export function selectGuestContext(cpu: Cpu, vmcs: Vmcs): void {
  const secondary = secondaryControls(vmcs);
  const vpid = (secondary & Secondary.enableVpid) !== 0 ? vmcs.num(F.vpid) : 0;
  const eptp = (secondary & Secondary.enableEpt) !== 0 ? vmcs.big(F.eptPointer) : 0n;
  switchContext(cpu, contextKey(vpid, eptp));
  if (vpid === 0) flushTlb(cpu);
}

/** Selects VMX root operation's context. Call before the host's control registers are loaded. */
export function selectRootContext(cpu: Cpu, vmcs: Vmcs): void {
  switchContext(cpu, ROOT_CONTEXT);
  if ((secondaryControls(vmcs) & Secondary.enableVpid) === 0) flushTlb(cpu);
}

/** INVEPT: the guest-physical and combined mappings of one EPTP's address bits (SDM Vol. 3, 29.4.3.1), or all. */
export function flushEptContexts(cpu: Cpu, eptp: bigint | undefined): void {
  flushContexts(cpu, (key) => {
    const [prefix, , pointer] = String(key).split(' ');
    if (prefix !== PREFIX || pointer === '0') return false;
    return eptp === undefined || BigInt(`0x${pointer}`) >> 12n === eptp >> 12n;
  });
}

/** INVVPID: the linear and combined mappings of one VPID, or of all VPIDs but 0000H. More than a single address is flushed. */
export function flushVpidContexts(cpu: Cpu, vpid: number | undefined): void {
  flushContexts(cpu, (key) => {
    const [prefix, tag] = String(key).split(' ');
    return prefix === PREFIX && (vpid === undefined || Number(tag) === vpid);
  });
}
