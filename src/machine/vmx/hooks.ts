import { switchContext, syncContext } from '../cpu/mmu/contexts.ts';
import { selectTlb } from '../cpu/mmu/tlb.ts';
import { openApicWindow, translateApicAccess } from './apic/access-page.ts';
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

/** @param ept "enable EPT"; @param apic "virtualize APIC accesses": translations are looked at too */
function hooks(ept: boolean, apic: boolean, monitorTrap: boolean): GuestHooks {
  return {
    nested: ept || apic,
    monitorTrap,
    instruction(cpu, insn) {
      const intercept = intercepts.get(insn.name);
      return intercept !== undefined && intercept(cpu, insn, guestVmcs(cpu));
    },
    event: interceptEvent,
    tripleFault: interceptTripleFault,
    taskSwitch: interceptTaskSwitch,
    boundary: interceptBoundary,
    translate(cpu, guestPhysical, access, linear, walk) {
      const physical = ept ? translateGuestPhysical(cpu, guestPhysical, access, linear, walk) : guestPhysical;
      return apic ? translateApicAccess(cpu, physical, access, linear !== undefined && !walk) : physical;
    },
    peek: (cpu, guestPhysical) => (ept ? peekGuestPhysical(cpu, guestPhysical) : guestPhysical),
  };
}

/** By bits: EPT, APIC accesses, monitor trap flag. */
const variants = Array.from({ length: 8 }, (_, n) => hooks((n & 1) !== 0, (n & 2) !== 0, (n & 4) !== 0));

/** The hooks for the guest of a VMCS. */
export function guestHooksFor(cpu: Cpu, vmcs: Vmcs): GuestHooks {
  const secondary = secondaryControls(vmcs);
  const apic = (secondary & Secondary.virtualizeApicAccesses) !== 0;
  if (apic) openApicWindow(cpu);
  const trap = (vmcs.num(F.primaryControls) & Primary.monitorTrapFlag) !== 0;
  return variants[((secondary & Secondary.enableEpt) !== 0 ? 1 : 0) | (apic ? 2 : 0) | (trap ? 4 : 0)]!;
}

/** Sets `cpu.guest` and the TLB context from the CPU's state: after a restored snapshot, when `resetTlb` was called. */
export function restoreGuestHooks(cpu: Cpu): void {
  const inGuest = cpu.vmxMode === VmxMode.nonRoot;
  cpu.guest = inGuest ? guestHooksFor(cpu, guestVmcs(cpu)) : null;
  if (inGuest) selectGuestContext(cpu, guestVmcs(cpu));
  else switchContext(cpu, ROOT_CONTEXT);
  syncContext(cpu);
  selectTlb(cpu);
}
