import { describe, expect, it } from 'vitest';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, handlerOf, inRoot, insn, Rig } from './rig.ts';

describe.each(['penryn', 'nehalem', 'sandybridge', 'haswell', 'skylake'])('%s', (model) => {
  it('enters a guest with VMLAUNCH, leaves it with CPUID and resumes', () => {
    const rig = new Rig(model).inGuest();
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
    expect(rig.cpu.rsp).toBe(BigInt(At.guestStack));
    expect(rig.run(insn('cpuid', { length: 2 }))).toBe('exit 10');
    expect(inRoot(rig.cpu)).toBe(true);
    expect(rig.cpu.rip).toBe(BigInt(At.hostRip));
    expect(rig.cpu.rsp).toBe(BigInt(At.hostStack));
    expect(rig.cpu.rflags).toBe(2);
    expect(rig.get(F.exitInstructionLength)).toBe(2n);
    expect(rig.get(F.guestRip)).toBe(BigInt(At.guestCode));
    rig.set(F.guestRip, At.guestCode + 2);
    expect(rig.launch()).toBe('VMfail 4');
    expect(rig.run(insn('vmresume'))).toBe('ok');
    expect(rig.cpu.rip).toBe(BigInt(At.guestCode + 2));
    expect(rig.probed).toEqual(['launch', 'exit 10', 'failure vmlaunch.not-clear', 'resume']);
  });

  it('injects an interrupt on entry', () => {
    const rig = new Rig(model).ready();
    rig.set(F.guestRflags, 0x202);
    rig.set(F.entryInterruptionInfo, 0x8000_0030);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.rip).toBe(handlerOf(0x30));
    expect(rig.machine.memory.read64(At.guestStack - 40)).toBe(BigInt(At.guestCode));
    expect(rig.run(insn('cpuid', { length: 2 }))).toBe('exit 10');
    expect(rig.get(F.entryInterruptionInfo)).toBe(0x30n);
  });
});
