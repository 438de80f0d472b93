/** Machines with a random virtual machine each, the same for both tiers. */
import { loadControlRegisters } from '../../../src/machine/cpu/control-registers.ts';
import { CR4 } from '../../../src/machine/cpu/cpu.ts';
import { XCR0 } from '../../../src/machine/cpu/layout.ts';
import { cpuModel } from '../../../src/machine/cpu/models/index.ts';
import type { Machine, MachineOptions } from '../../../src/machine/machine.ts';
import { F, REVISION_ID } from '../../../src/machine/vmx/fields.ts';
import { currentVmcs } from '../../../src/machine/vmx/vmcs.ts';
import { Random } from '../../host-cpu/random.ts';
import { bareMachine, CODE } from '../../support/bare-machine.ts';
import { bytes } from '../../support/bytes.ts';
import { At, writeBaseline } from '../rig.ts';
import { randomGuest } from './code.ts';
import { controlsOn, randomFeatures, writeControls, type Controls } from './controls.ts';
import { randomArrivals, schedule, type Arrival } from './events.ts';
import { hypervisor, skipTable } from './hypervisor.ts';
import { guestKinds, writeHandlers } from './kinds.ts';
import type { VmxFeatureName } from '../../../src/machine/vmx/features.ts';
import { Place } from './places.ts';

/** A virtual machine, the same for both tiers. */
export interface Setup {
  readonly model: string;
  readonly code: Uint8Array;
  readonly controls: Controls;
  readonly arrivals: readonly Arrival[];
}

interface Exit {
  readonly reason: number;
  readonly qualification: bigint;
  readonly retired: number;
}

interface Seen {
  readonly exits: Exit[];
  readonly failures: string[];
  /** Controls that were 1 at VM entries. */
  readonly controls: Set<string>;
}

/** A machine whose CPU is about to execute VMLAUNCH, and what is seen from then on. */
export function virtualMachine(setup: Setup, accel: MachineOptions['accel']): Seen & { readonly machine: Machine } {
  const machine = bareMachine({ accel, model: cpuModel(setup.model)! });
  const cpu = machine.cpus[0]!;
  const { memory } = machine;
  const { kind, features, timer } = setup.controls;
  const wide = cpu.model.features.has('avx') ? CR4.OSXSAVE : 0;
  loadControlRegisters(cpu, { cr0: cpu.cr0, cr3: cpu.cr3, cr4: cpu.cr4 | BigInt(CR4.VMXE | wide), efer: cpu.efer });
  if (wide) cpu.setU64(XCR0, 7n);
  for (const at of [At.vmxon, At.vmcs]) memory.write(at, 4, REVISION_ID);
  memory.write64(At.operand, BigInt(At.vmxon));
  memory.write64(At.operand + 8, BigInt(At.vmcs));
  // vmxon [operand]; vmclear [operand + 8]; vmptrld [operand + 8]; vmlaunch; hlt
  memory.poke(CODE, bytes('f30fc7342500802000 660fc7342508802000 0fc7342508802000 0f01c2 f4'));
  machine.run(3);
  const vmcs = currentVmcs(cpu)!;
  writeBaseline({ cpu, vmcs, machine });
  memory.poke(At.hostRip, hypervisor(features.has('ept'), kind, timer));
  memory.poke(Place.skip, skipTable());
  memory.poke(kind.code, setup.code);
  for (const k of [guestKinds[0]!, kind]) writeHandlers(machine, k);
  vmcs.setBig(F.hostIdtrBase, BigInt(At.guestIdt));
  vmcs.setBig(F.hostGdtrBase, BigInt(At.guestGdt));
  writeControls(machine, vmcs, setup.controls);
  schedule(machine, setup.arrivals);
  const seen: Seen = { exits: [], failures: [], controls: new Set() };
  machine.observe({
    vmExit: (_, reason, qualification) => void seen.exits.push({ reason, qualification, retired: machine.runner.retiredBy(cpu) }),
    vmFailure: (_, f) => void seen.failures.push(f.rule),
    vmEntry: () => {
      for (const name of controlsOn(vmcs, cpu.model)) seen.controls.add(name);
    },
  });
  return { machine, ...seen };
}

/** How long one runs. */
export const TICKS = 20_000;

/** Controls that some programs have in any case: chance alone seldom brings those together that an event needs. */
const FOCI: readonly (readonly VmxFeatureName[])[] = [
  [],
  ['tpr-shadow'],
  ['virtualize-apic-accesses', 'apic-register-virtualization'],
  ['virtualize-apic-accesses', 'virtual-interrupt-delivery'],
];

export function randomSetup(n: number): Setup {
  const random = new Random(4_077_001n + BigInt(n));
  const kind = guestKinds[n % guestKinds.length]!;
  const focus = FOCI[Math.floor(n / guestKinds.length) % FOCI.length]!;
  const wanted = [...focus, ...(kind.unrestricted ? (['unrestricted-guest'] as const) : [])];
  const model = random.pick(['max', 'max', 'max', 'skylake', 'haswell', ...(wanted.length > 0 ? [] : ['nehalem', 'penryn'])]);
  const features = randomFeatures(cpuModel(model)!, random, wanted);
  const permissions = random.pick([0x407, 0x407, 5, 4, 1, 0, 3, 2]);
  const controls = { features, kind, seed: random.u64(), permissions, timer: 20 + random.below(3000) };
  return { model, controls, arrivals: randomArrivals(random, TICKS), code: randomGuest(kind, features, random) };
}
