import { describe, expect, it } from 'vitest';
import type { DebuggedMachine } from '../../src/gdbstub/machine/debugged-machine.ts';
import { VmxObserver } from '../../src/gdbstub/machine/vmx-observer.ts';
import { createMonitor } from '../../src/gdbstub/monitor/index.ts';
import { infoTopics } from '../../src/cli/info-topics.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, insn, Rig } from '../vmx/rig.ts';

/** A rig that is observed, and the monitor commands on it. */
function observed(prepare: (rig: Rig) => void = () => {}): { rig: Rig; say: (line: string) => string; stops: boolean[] } {
  const rig = new Rig().ready();
  const observer = new VmxObserver();
  rig.machine.probe = observer.probe;
  const stops: boolean[] = [];
  const machine = {
    cpus: rig.machine.cpus,
    memory: rig.machine.memory,
    stopOnVmxFailure: (on: boolean) => stops.push(on),
    stopOnVmxInstructions: () => {},
  } as unknown as DebuggedMachine;
  const devices = { devices: { lapics: [], all: [] } } as unknown as Machine;
  const nameOf = (physical: number): string | undefined => (physical === At.guestCode ? 'guest_main+0x0' : undefined);
  const monitor = createMonitor(machine, infoTopics(devices, observer), { vmx: observer, nameOf });
  prepare(rig);
  return { rig, stops, say: (line) => monitor.execute(1, line).text };
}

describe('monitor vmx exits', () => {
  it('counts by reason and by guest code, the most frequent first', () => {
    const { rig, say } = observed();
    expect(say('vmx exits')).toContain('no VM exit');
    rig.launch();
    for (let n = 0; n < 3; n++) {
      rig.run(insn('cpuid', { length: 2 }));
      if (n === 2) rig.set(F.guestRip, At.guestCode + 16);
      rig.run(insn('vmresume'));
    }
    rig.run(insn('vmcall'));
    const lines = say('vmx exits').split('\n');
    expect(lines[0]).toBe('4 VM exits');
    expect(lines[1]).toMatch(/^ +3 {2}10 CPUID$/);
    expect(lines[2]).toMatch(/^ +3 {2}cpu0 0x230000 guest_main\+0x0$/);
    expect(lines[3]).toMatch(/^ +1 {2}18 VMCALL$/);
    expect(lines[4]).toMatch(/^ +1 {2}cpu0 0x230010$/);
  });

  it('begins again', () => {
    const { rig, say } = observed();
    rig.launch();
    rig.run(insn('cpuid'));
    expect(say('vmx exits clear')).toContain('0');
    expect(say('vmx exits')).toContain('no VM exit');
  });

  it('refuses what it does not know', () => {
    const { say } = observed();
    expect(say('vmx exits often')).toContain('usage');
    expect(say('vmx')).toContain('usage');
  });
});

describe('monitor info vmcs', () => {
  it('marks the fields that changed since the last VM entry, with their value then', () => {
    const { rig, say } = observed();
    expect(say('info vmcs')).not.toContain('changed since');
    rig.launch();
    rig.run(insn('cpuid', { length: 2 }));
    const text = say('info vmcs');
    expect(text).toMatch(/\* Exit reason .*CPUID {2}\(at VM entry 0x0\)/);
    expect(text).toMatch(/\* VM-exit instruction length .*\(at VM entry 0x0\)/);
    expect(text).toMatch(/^ {2}Guest RSP/m);
    expect(text).toContain('* changed since the last VM entry');
    expect(say(`info vmcs ${At.vmcs}`)).toContain('Exit reason');
    expect(say('info vmcs host')).not.toContain('Exit reason');
  });

  it('does not mark another VMCS', () => {
    const { rig, say } = observed();
    rig.launch();
    rig.run(insn('cpuid', { length: 2 }));
    expect(say(`info vmcs 0x${At.vmcs2.toString(16)}`)).not.toContain('changed since');
  });
});

describe('diagnosis', () => {
  it('a VM entry that fails: rule, section, fields and values', () => {
    const { rig, say } = observed((r) => r.set(F.guestRflags, 0));
    rig.launch();
    expect(say('vmx last-failure')).toMatch(/vmlaunch.*0x80000021.*guest\.rflags-reserved, SDM Vol\. 3, 27\.3\.1\.4\]: Guest RFLAGS = 0x0/);
  });

  it.each([
    [
      'a triple fault of the guest',
      (r: Rig): void => {
        r.cpu.guest!.tripleFault(r.cpu);
      },
      /VM exit, reason 2 \(TRIPLE_FAULT\).*exit\.triple-fault.*IDTR base/,
    ],
    [
      'a VMX abort',
      (r: Rig): void => {
        r.machine.memory.write64(At.msrArea, 0x1234n);
        r.set(F.exitMsrLoadAddress, At.msrArea);
        r.set(F.exitMsrLoadCount, 1);
        r.run(insn('cpuid'));
      },
      /VMX abort 4.*abort\.msr-load, SDM Vol\. 3, 28\.6\]: entry 1 at 0x207000, MSR 0x1234/,
    ],
  ] as const)('%s is named too', (_, happen, text) => {
    const { rig, say } = observed();
    rig.launch();
    happen(rig);
    expect(say('vmx last-failure')).toMatch(text);
  });

  it('stops on failures when told to', () => {
    const { say, stops } = observed();
    say('vmx stop-on-failure on');
    say('vmx stop-on-failure off');
    expect(stops).toEqual([true, false]);
  });
});
