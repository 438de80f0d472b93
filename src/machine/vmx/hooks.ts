import { selectTlb, switchContext } from '../cpu/mmu/tlb.ts';
import { ROOT_CONTEXT, selectGuestContext } from './address-space.ts';
import { VmxMode, type Cpu } from '../cpu/cpu.ts';
import type { GuestHooks } from '../cpu/hooks.ts';
import { Primary, Secondary } from './controls.ts';
import { peekGuestPhysical, translateGuestPhysical } from './ept.ts';
import { secondaryControls } from './execution-controls.ts';
import { F } from './fields.ts';
import { interceptBoundary } from './intercepts/boundary.ts';
import { controlRegisterIntercepts } from './intercepts/control-registers.ts';
import { interceptEvent, interceptTaskSwitch, interceptTripleFault } from './intercepts/events.ts';
import type { Intercept } from './intercepts/intercept.ts';
import { ioIntercepts } from './intercepts/io.ts';
import { msrIntercepts } from './intercepts/msr.ts';
import { systemIntercepts } from './intercepts/system.ts';
import { vmxIntercepts } from './intercepts/vmx.ts';
import { guestVmcs, type Vmcs } from './vmcs.ts';

/** By `Insn.name`: every instruction whose execution VMX non-root operation changes. */
export const intercepts: ReadonlyMap<string, Intercept> = new Map(
  Object.entries({ ...systemIntercepts, ...controlRegisterIntercepts, ...ioIntercepts, ...msrIntercepts, ...vmxIntercepts }),
);

function hooks(nested: boolean, monitorTrap: boolean): GuestHooks {
  return {
    nested,
    monitorTrap,
    instruction(cpu, insn) {
      const intercept = intercepts.get(insn.name);
      return intercept !== undefined && intercept(cpu, insn, guestVmcs(cpu));
    },
    event: interceptEvent,
    tripleFault: interceptTripleFault,
    taskSwitch: interceptTaskSwitch,
    boundary: interceptBoundary,
    translate: (cpu, guestPhysical, access, linear, walk) =>
      nested ? translateGuestPhysical(cpu, guestPhysical, access, linear, walk) : guestPhysical,
    peek: (cpu, guestPhysical) => (nested ? peekGuestPhysical(cpu, guestPhysical) : guestPhysical),
  };
}

const [withoutEpt, withEpt, trappingWithoutEpt, trappingWithEpt] = [hooks(false, false), hooks(true, false), hooks(false, true), hooks(true, true)];

/** The hooks for the guest of a VMCS. */
export function guestHooksFor(vmcs: Vmcs): GuestHooks {
  const nested = (secondaryControls(vmcs) & Secondary.enableEpt) !== 0;
  if ((vmcs.num(F.primaryControls) & Primary.monitorTrapFlag) === 0) return nested ? withEpt : withoutEpt;
  return nested ? trappingWithEpt : trappingWithoutEpt;
}

/** Sets `cpu.guest` and the TLB context from the CPU's state: after a restored snapshot, when `resetTlb` was called. */
export function restoreGuestHooks(cpu: Cpu): void {
  const inGuest = cpu.vmxMode === VmxMode.nonRoot;
  cpu.guest = inGuest ? guestHooksFor(guestVmcs(cpu)) : null;
  if (inGuest) selectGuestContext(cpu, guestVmcs(cpu));
  else switchContext(cpu, ROOT_CONTEXT);
  selectTlb(cpu);
}
