import { describe, expect, it } from 'vitest';
import { loadControlRegisters } from '../../src/machine/cpu/control-registers.ts';
import { CR4 } from '../../src/machine/cpu/cpu.ts';
import { Pending, XCR0 } from '../../src/machine/cpu/layout.ts';
import { cpuModel } from '../../src/machine/cpu/models/index.ts';
import type { Machine, MachineOptions } from '../../src/machine/machine.ts';
import { allowedSettings } from '../../src/machine/vmx/capabilities.ts';
import { Pin, Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F, REVISION_ID } from '../../src/machine/vmx/fields.ts';
import { ExitReason } from '../../src/machine/vmx/reasons.ts';
import { currentVmcs } from '../../src/machine/vmx/vmcs.ts';
import { Random } from '../host-cpu/random.ts';
import { bareMachine, CODE } from '../support/bare-machine.ts';
import { bytes, cpuState } from '../cpu/pair.ts';
import { At, controlWords, writeBaseline } from './rig.ts';
import { Guest, guestHandlers, hypervisor, Monitor, randomGuest } from './two-tiers-guest.ts';

/** A virtual machine, the same for both tiers. */
interface Setup {
  readonly model: string;
  readonly code: Uint8Array;
  /** Writes the VMCS, whose baseline a 64-bit guest at `Guest.top` without optional controls is. */
  readonly controls: (machine: Machine) => void;
  /** Low bits of the EPT entry for the guest's data, which lies elsewhere in the machine's memory. */
  readonly permissions: number;
}

interface Exit {
  readonly reason: number;
  readonly qualification: bigint;
  readonly retired: number;
}

/** A machine whose CPU is about to execute VMLAUNCH, and the exits seen from then on. */
function virtualMachine(setup: Setup, accel: MachineOptions['accel']): { machine: Machine; exits: Exit[]; failures: string[] } {
  const machine = bareMachine({ accel, model: cpuModel(setup.model)! });
  const cpu = machine.cpus[0]!;
  const { memory } = machine;
  const wide = cpu.model.features.has('avx') ? CR4.OSXSAVE : 0;
  loadControlRegisters(cpu, { cr0: cpu.cr0, cr3: cpu.cr3, cr4: cpu.cr4 | BigInt(CR4.VMXE | wide), efer: cpu.efer });
  if (wide) cpu.setU64(XCR0, 7n);
  for (const at of [At.vmxon, At.vmcs]) memory.write(at, 4, REVISION_ID);
  memory.write64(At.operand, BigInt(At.vmxon));
  memory.write64(At.operand + 8, BigInt(At.vmcs));
  // vmxon [operand]; vmclear [operand + 8]; vmptrld [operand + 8]; vmlaunch; hlt
  memory.poke(CODE, bytes('f30fc7342500802000 660fc7342508802000 0fc7342508802000 0f01c2 f4'));
  machine.run(3);
  writeBaseline({ cpu, vmcs: currentVmcs(cpu)!, machine });
  const features = machine.cpus[0]!.model.vmx.features;
  memory.poke(At.hostRip, hypervisor(features.has('ept')));
  memory.poke(Guest.top, setup.code);
  for (const [at, code] of guestHandlers()) memory.poke(at, code);
  memory.write(Monitor.permissions, 4, 0x80_00b0 | setup.permissions);
  const vmcs = currentVmcs(cpu)!;
  vmcs.setBig(F.hostIdtrBase, BigInt(At.guestIdt));
  vmcs.setBig(F.hostGdtrBase, BigInt(At.guestGdt));
  vmcs.setBig(F.guestRip, BigInt(Guest.top));
  setup.controls(machine);
  const exits: Exit[] = [];
  const failures: string[] = [];
  machine.observe({
    vmExit: (_, reason, qualification) => void exits.push({ reason, qualification, retired: machine.runner.retiredBy(cpu) }),
    vmFailure: (_, f) => void failures.push(f.rule),
  });
  return { machine, exits, failures };
}

/** EPT: an identity map of RAM by 2-MByte pages, but for the guest's data. */
function writeEpt({ memory, cpus }: Machine, permissions: number): void {
  memory.write64(At.ept, BigInt(At.ept + 0x1000) | 7n);
  memory.write64(At.ept + 0x1000, BigInt(Monitor.eptDirectory) | 7n);
  // Bit 10 allows execution of user-mode addresses where that is a permission of its own: SDM Vol. 3, table 29-6.
  for (let n = 0; n < 8; n++) memory.write64(Monitor.eptDirectory + n * 8, BigInt(n << 21) | 0x4b7n);
  memory.write(Monitor.dataEntry, 4, 0x80_00b0 | permissions);
  const ad = cpus[0]!.model.vmx.features.has('ept-ad') ? 0x40n : 0n;
  currentVmcs(cpus[0]!)!.setBig(F.eptPointer, BigInt(At.ept) | 0x1en | ad);
}

/** Random controls of those that the model offers, and the fields that they refer to. */
function randomControls(random: Random, permissions: number): (m: Machine) => void {
  // Few optional bits at once, or nearly every entry would be refused for their dependencies.
  const sparse = controlWords.map(() => random.u32() & random.u32() & (random.chance(2) ? 0xffff_ffff : random.u32()));
  const ept = random.chance(2);
  const [timer, exceptions, cr0Mask, pmlIndex] = [
    20 + random.below(3000),
    random.u32() & random.u32() & random.u32(),
    random.u32(),
    random.below(20),
  ];
  const mtf = random.chance(8);
  return (m) => {
    const cpu = m.cpus[0]!;
    const vmcs = currentVmcs(cpu)!;
    for (const [n, [word, field]] of controlWords.entries()) {
      const { must, may } = allowedSettings(cpu.model, word);
      let bits = must | (may & sparse[n]!);
      if (word === 'primary') bits |= may & (Primary.activateSecondaryControls | Primary.hltExiting);
      if (word === 'primary' && !mtf) bits &= ~Primary.monitorTrapFlag;
      // Controls that need others, which few random controlWords have: apic.test.ts and events.test.ts are about them.
      if (word === 'pin') bits &= ~(Pin.virtualNmis | Pin.postedInterrupts);
      if (word === 'primary') bits &= ~Primary.nmiWindowExiting;
      if (word === 'secondary') bits &= ~(Secondary.unrestrictedGuest | Secondary.virtualizeX2apic | Secondary.apicRegisterVirtualization | Secondary.virtualInterruptDelivery); // prettier-ignore
      if (word === 'secondary' && ept) bits |= may & Secondary.enableEpt;
      vmcs.setNum(field, ((word === 'exit' || word === 'entry' ? vmcs.num(field) : 0) | bits) >>> 0);
    }
    const pages = [F.pmlAddress, F.eptpListAddress, F.vmreadBitmap, F.vmwriteBitmap, F.veInfoAddress, F.apicAccessAddress, F.postedDescriptorAddress];
    for (const [n, f] of pages.entries()) vmcs.setBig(f, BigInt(0x26_0000 + n * 4096));
    vmcs.setNum(F.vpid, 1);
    vmcs.setNum(F.pmlIndex, pmlIndex);
    vmcs.setBig(F.tscMultiplier, 3n << 47n);
    vmcs.setNum(F.preemptionTimer, timer);
    vmcs.setNum(F.pleGap, 10);
    vmcs.setNum(F.pleWindow, 50);
    vmcs.setNum(F.exceptionBitmap, exceptions);
    vmcs.setBig(F.cr0Mask, BigInt(cr0Mask));
    vmcs.setBig(F.cr0Shadow, cpu.cr0);
    if (cpu.model.vmx.features.has('ept')) writeEpt(m, permissions);
  };
}

const ram = ({ linear }: Machine): Buffer => Buffer.from(linear.u8.buffer, linear.u8.length - linear.ramSize, linear.ramSize);
/** How many: VMX_TWO_TIERS=n runs n. */
const PROGRAMS = Number(process.env['VMX_TWO_TIERS'] ?? 30);

describe('virtual machines are the same in both tiers', () => {
  it('with random controls and random guest code', () => {
    const random = new Random(4_077_001n);
    const reasons = new Set<number>();
    let entered = 0;
    let compiledInstructions = 0;
    for (let n = 0; n < PROGRAMS; n++) {
      const permissions = random.pick([0x407, 0x407, 5, 4, 1, 0, 3, 2]);
      const model = random.pick(['max', 'max', 'max', 'skylake', 'haswell', 'nehalem', 'penryn']);
      const setup: Setup = { model, permissions, code: randomGuest(random), controls: randomControls(random, permissions) };
      const both = [virtualMachine(setup, { mode: 'interp' }), virtualMachine(setup, { mode: 'jit', threshold: 1 })] as const;
      const [interpreted, compiled] = both;
      const name = `program ${n} on ${model}`;
      for (let piece = 0; piece < 60; piece++) {
        const length = random.chance(4) ? 1 + random.below(70) : 1 + random.below(1500);
        const kinds = both.map((b) => b.machine.run(length).kind);
        expect(kinds[1], `${name}, piece ${piece}`).toBe(kinds[0]);
        expect(cpuState(compiled.machine), `${name}, piece ${piece}`).toEqual(cpuState(interpreted.machine));
        expect(compiled.exits, `${name}, piece ${piece}`).toEqual(interpreted.exits);
        if (kinds[0] !== 'quantum') break;
        if (random.chance(8)) for (const { machine } of both) if (machine.cpus[0]!.guest) machine.cpus[0]!.raise(Pending.nmi);
      }
      expect(Buffer.compare(ram(compiled.machine), ram(interpreted.machine)), `${name}: memory`).toBe(0);
      expect(compiled.failures).toEqual(interpreted.failures);
      for (const { reason } of interpreted.exits) reasons.add(reason & 0xffff);
      if (interpreted.exits.length > 3) entered++;
      compiledInstructions += compiled.machine.runner.regions.instructions;
      expect(interpreted.machine.runner.regions.instructions).toBe(0);
    }
    // The comparison says something only if guests ran, in regions, and left for many reasons.
    expect(entered).toBeGreaterThan(PROGRAMS / 3);
    expect(compiledInstructions).toBeGreaterThan(PROGRAMS * 1000);
    expect(reasons.size).toBeGreaterThan(7);
  }, 120_000);

  it('with EPT and a hot loop, whose every thousandth pass exits', () => {
    // mov rbx, 0x600800; 1: mov ecx, 1000; 2: add [rbx], rcx; imul rdx, rcx, 7; xor rax, rdx; dec ecx; jnz 2b; vmcall; jmp 1b
    const code = bytes('48c7c300086000 b9e8030000 48010b 486bd107 4831d0 ffc9 75f2 0f01c1 ebe8');
    const controls = (m: Machine): void => {
      writeEpt(m, 0x407);
      const vmcs = currentVmcs(m.cpus[0]!)!;
      vmcs.setNum(F.primaryControls, (vmcs.num(F.primaryControls) | Primary.activateSecondaryControls) >>> 0);
      vmcs.setNum(F.secondaryControls, Secondary.enableEpt);
    };
    const setup: Setup = { model: 'skylake', code, controls, permissions: 0x407 };
    const both = [virtualMachine(setup, { mode: 'interp' }), virtualMachine(setup, { mode: 'jit', threshold: 1 })] as const;
    const random = new Random(9n);
    for (let left = 1_000_000; left > 0;) {
      const length = Math.min(left, 1 + random.below(40_000));
      for (const { machine } of both) expect(machine.run(length).kind).toBe('quantum');
      expect(cpuState(both[1].machine)).toEqual(cpuState(both[0].machine));
      left -= length;
    }
    const [interpreted, compiled] = both;
    expect(compiled.exits).toEqual(interpreted.exits);
    expect(new Set(compiled.exits.map((e) => e.reason))).toEqual(new Set([ExitReason.vmcall]));
    const period = compiled.exits[2]!.retired - compiled.exits[1]!.retired;
    // 5000 instructions of the inner loop, mov, vmcall, jmp; the rest is the hypervisor.
    expect(period).toBeGreaterThan(5003);
    const first = compiled.exits[0]!.retired;
    expect(compiled.exits.length).toBe(1 + Math.floor((Number(compiled.machine.cpus[0]!.retired) - first) / period));
    expect(compiled.machine.memory.read(Monitor.counts + ExitReason.vmcall * 4, 4)).toBe(compiled.exits.length);
    expect(compiled.machine.runner.regions.instructions).toBeGreaterThan(900_000);
    expect(Buffer.compare(ram(compiled.machine), ram(interpreted.machine))).toBe(0);
  }, 60_000);
});
