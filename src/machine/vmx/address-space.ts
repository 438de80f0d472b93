import type { Cpu } from '../cpu/cpu.ts';
import { flushContexts, flushTlb, switchContext } from '../cpu/mmu/contexts.ts';
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

/** The key made last: a guest is entered again and again. */
const last = { vpid: -1, low: 0, high: 0, key: '' };

function contextKey(vpid: number, low: number, high: number): string {
  if (last.vpid === vpid && last.low === low && last.high === high) return last.key;
  Object.assign(last, { vpid, low, high, key: `${PREFIX} ${vpid} ${((BigInt(high) << 32n) | BigInt(low)).toString(16)}` });
  return last.key;
}

/** Selects the guest's context. Call before the guest's control registers are loaded. */
export function selectGuestContext(cpu: Cpu, vmcs: Vmcs): void {
  const secondary = secondaryControls(vmcs);
  const vpid = (secondary & Secondary.enableVpid) !== 0 ? vmcs.num(F.vpid) : 0;
  const ept = (secondary & Secondary.enableEpt) !== 0;
  switchContext(cpu, contextKey(vpid, ept ? vmcs.low(F.eptPointer) : 0, ept ? vmcs.high(F.eptPointer) : 0));
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
