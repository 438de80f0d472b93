import { describe, expect, it } from 'vitest';
import { CR0, EFER } from '../../src/machine/cpu/cpu.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { MsrSlot, msrSlot, readMsr, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { Entry, Exit } from '../../src/machine/vmx/controls.ts';
import { describeLastFailure, describeVmcsOf, describeVmx } from '../../src/machine/vmx/describe.ts';
import { F, guestSegments } from '../../src/machine/vmx/fields.ts';
import { restoreGuestHooks } from '../../src/machine/vmx/hooks.ts';
import { At, insn, Rig } from './rig.ts';

const exitNow = (rig: Rig): void => expect(rig.run(insn('cpuid', { length: 2 }))).toBe('exit 10');

describe('guest state (SDM Vol. 3, 27.3.2 and 28.3)', () => {
  it('comes back from the guest as it went in', () => {
    const rig = new Rig().ready();
    const values: readonly (readonly [keyof typeof F, bigint])[] = [
      ['guestCr3', rig.cpu.cr3], ['guestSysenterCs', 0x33n], ['guestSysenterEsp', 0x1234_5678n], ['guestSysenterEip', 0x7fff_ffff_0000n],
      ['guestGdtrBase', 0xffff_8000_0000_1000n], ['guestGdtrLimit', 0x7fn], ['guestIdtrBase', 0x2000n], ['guestIdtrLimit', 0xfffn], ['guestRsp', 0xffff_8800_0000_0000n],
      ['guestRflags', 0x24_0ad7n], ['guestFsBase', 0xffff_ffff_8000_0000n], ['guestGsBase', 0x7fff_0000_0000n], ['guestTrBase', 0xffff_8000_0000_0000n],
      ['guestLdtrSelector', 0x30n], ['guestLdtrLimit', 0x17n], ['guestLdtrAccessRights', 0x82n], ['guestLdtrBase', 0x5000n], ['guestDsAccessRights', 0x1_0000n],
      ['guestCr4', rig.cpu.cr4 | 0x90n], ['guestInterruptibility', 8n],
    ]; // prettier-ignore
    for (const [name, value] of values) rig.set(F[name], value);
    expect(rig.launch()).toBe('ok');
    exitNow(rig);
    for (const [name, value] of values) expect(rig.get(F[name]), name).toBe(value);
    for (const s of guestSegments)
      expect(rig.get(s.selector), s.name).toBe(BigInt(s.name === 'CS' ? 8 : s.name === 'TR' ? 0x28 : s.name === 'LDTR' ? 0x30 : 0x10));
  });

  it('bits of CR0 that VM entry and exit do not change', () => {
    const rig = new Rig().ready();
    rig.cpu.cr0 |= BigInt(CR0.CD);
    rig.bits(F.guestCr0, 0x1_0000, CR0.ET);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.cr0 & BigInt(CR0.CD | CR0.ET | CR0.WP)).toBe(BigInt(CR0.CD | CR0.ET | CR0.WP));
    rig.cpu.cr0 &= ~BigInt(CR0.CD);
    exitNow(rig);
    expect(rig.cpu.cr0 & BigInt(CR0.CD | CR0.ET | CR0.WP)).toBe(BigInt(CR0.ET));
  });

  it('debug controls, PAT and EFER are loaded and saved by their controls', () => {
    const rig = new Rig().ready();
    rig.cpu.setDr(7, 0x400n);
    rig.set(F.guestDr7, 0x455n);
    rig.set(F.guestPat, 0x0606_0606_0606_0606n);
    rig.set(F.guestEfer, 0xd01n);
    rig.bits(F.entryControls, Entry.loadDebugControls | Entry.loadPat | Entry.loadEfer);
    rig.bits(F.exitControls, Exit.saveDebugControls | Exit.savePat | Exit.loadPat | Exit.saveEfer | Exit.loadEfer);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.dr(7)).toBe(0x455n);
    expect(msrSlot(rig.cpu, MsrSlot.pat)).toBe(0x0606_0606_0606_0606n);
    expect(rig.cpu.efer).toBe(0xd01n);
    setMsrSlot(rig.cpu, MsrSlot.pat, 0x0505_0505_0505_0505n);
    rig.cpu.setDr(7, 0x401n);
    exitNow(rig);
    expect(rig.get(F.guestDr7)).toBe(0x401n);
    expect(rig.get(F.guestPat)).toBe(0x0505_0505_0505_0505n);
    expect(rig.get(F.guestEfer)).toBe(0xd01n);
    expect(rig.cpu.dr(7)).toBe(0x400n);
    expect(rig.cpu.efer).toBe(0xd00n);
    expect(msrSlot(rig.cpu, MsrSlot.pat)).toBe(rig.get(F.hostPat));
  });

  it('without "load debug controls" DR7 stays', () => {
    const rig = new Rig().ready();
    rig.bits(F.entryControls, 0, Entry.loadDebugControls);
    rig.cpu.setDr(7, 0x402n);
    rig.set(F.guestDr7, 0x455n);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.dr(7)).toBe(0x402n);
  });

  it('SS.DPL is the CPL, also of an unusable SS', () => {
    const rig = new Rig().ready();
    rig.set(F.guestSsAccessRights, 0x1_0060);
    rig.set(F.guestSsSelector, 3);
    rig.set(F.guestCsSelector, 0xb);
    rig.bits(F.guestCsAccessRights, 0x60);
    expect(rig.launch()).toBe('ok');
    expect(rig.cpu.cpl).toBe(3);
    exitNow(rig);
    expect(rig.get(F.guestSsAccessRights) & 0x1_0060n).toBe(0x1_0060n);
    expect(rig.cpu.cpl).toBe(0);
  });
});

describe('host state (SDM Vol. 3, 28.5)', () => {
  it('is loaded as the SDM says', () => {
    const rig = new Rig().ready();
    rig.set(F.hostFsBase, 0x7000_0000_0000n);
    rig.set(F.hostGsSelector, 0x10);
    rig.set(F.hostGsBase, 0xffff_8000_0000_0000n);
    rig.set(F.hostSysenterEip, 0x1234n);
    expect(rig.launch()).toBe('ok');
    rig.cpu.rflags = 0xad7;
    exitNow(rig);
    const { cpu } = rig;
    const seg = (n: number): unknown[] => [cpu.segments[n]!.selector, cpu.segments[n]!.base, cpu.segments[n]!.limit, cpu.segments[n]!.attr];
    expect(seg(L.CS)).toEqual([8, 0n, 0xffff_ffff, 0xa09b]);
    expect(seg(L.SS)).toEqual([0x10, 0n, 0xffff_ffff, 0xc093]);
    expect(seg(L.DS)).toEqual([0, 0n, 0xffff_ffff, 0x1_0000]);
    expect(seg(L.FS)).toEqual([0, 0x7000_0000_0000n, 0xffff_ffff, 0x1_0000]);
    expect(seg(L.GS)).toEqual([0x10, 0xffff_8000_0000_0000n, 0xffff_ffff, 0xc093]);
    expect(seg(L.TR)).toEqual([0x28, BigInt(At.hostTss), 0x67, 0x8b]);
    expect(seg(L.LDTR)[3]).toBe(0x1_0000);
    expect([cpu.u32(L.GDTR_LIMIT), cpu.u32(L.IDTR_LIMIT)]).toEqual([0xffff, 0xffff]);
    expect(cpu.rflags).toBe(2);
    expect(readMsr(cpu, 0x176)).toBe(0x1234n);
    expect(cpu.efer & BigInt(EFER.LMA | EFER.LME)).toBe(0x500n);
  });

  it('a PAE host whose PDPTEs are not valid: VMX abort 2 and shutdown', () => {
    const rig = new Rig('skylake', 'pae').ready();
    rig.set(F.hostCr3, 0xf0_0000);
    rig.machine.memory.write64(0xf0_0000, 7n);
    expect(rig.launch()).toBe('ok');
    rig.run(insn('cpuid'));
    expect(rig.vmcs.abort).toBe(2);
    expect(rig.cpu.activity).toBe(2);
    expect(rig.machine.requests).toEqual([{ what: 'triple-fault', code: undefined }]);
    expect(rig.machine.messages.at(-1)).toContain('VMX abort 2');
  });

  it('a 32-bit host and guest', () => {
    const rig = new Rig('penryn', '32-bit').inGuest();
    expect(rig.cpu.u32(L.CODE_SIZE)).toBe(1);
    exitNow(rig);
    expect(rig.cpu.segments[L.CS]!.attr).toBe(0xc09b);
    expect(rig.cpu.longMode).toBe(false);
  });
});

describe('MSR areas (SDM Vol. 3, 27.4, 28.4, 28.6)', () => {
  const entry = (rig: Rig, n: number, index: number, value: bigint, reserved = 0): void => {
    const at = At.msrArea + n * 16;
    rig.machine.memory.write(at, 4, index);
    rig.machine.memory.write(at + 4, 4, reserved);
    rig.machine.memory.write64(at + 8, value);
  };
  const STAR = 0xc000_0081;

  it('entry load, exit store, exit load', () => {
    const rig = new Rig().ready();
    entry(rig, 0, STAR, 0x11n);
    rig.set(F.entryMsrLoadAddress, At.msrArea);
    rig.set(F.entryMsrLoadCount, 1);
    entry(rig, 1, STAR, 0n);
    rig.set(F.exitMsrStoreAddress, At.msrArea + 16);
    rig.set(F.exitMsrStoreCount, 1);
    entry(rig, 2, STAR, 0x22n);
    rig.set(F.exitMsrLoadAddress, At.msrArea + 32);
    rig.set(F.exitMsrLoadCount, 1);
    expect(rig.launch()).toBe('ok');
    expect(readMsr(rig.cpu, STAR)).toBe(0x11n);
    exitNow(rig);
    expect(rig.machine.memory.read64(At.msrArea + 24)).toBe(0x11n);
    expect(readMsr(rig.cpu, STAR)).toBe(0x22n);
  });

  it.each([
    ['FS base', 0xc000_0100, 0n, 0],
    ['GS base', 0xc000_0101, 0n, 0],
    ['SMM monitor control', 0x9b, 0n, 0],
    ['microcode update', 0x79, 0n, 0],
    ['an unknown MSR', 0x1234, 0n, 0],
    ['a value that WRMSR refuses', 0xc000_0082, 1n << 47n, 0],
    ['reserved bits', STAR, 0n, 1],
  ])('VM entry fails on %s, with the number of the entry', (_, index, value, reserved) => {
    const rig = new Rig().ready();
    entry(rig, 0, STAR, 1n);
    entry(rig, 1, index, value, reserved);
    rig.set(F.entryMsrLoadAddress, At.msrArea);
    rig.set(F.entryMsrLoadCount, 2);
    expect(rig.launch()).toBe('entry failure 34');
    expect(rig.get(F.exitReason)).toBe(0x8000_0022n);
    expect(rig.get(F.exitQualification)).toBe(2n);
    expect(rig.cpu.rip).toBe(BigInt(At.hostRip));
    expect(describeLastFailure(rig.cpu)).toContain('entry 2');
  });

  it.each([
    ['store', F.exitMsrStoreAddress, F.exitMsrStoreCount, 1],
    ['load', F.exitMsrLoadAddress, F.exitMsrLoadCount, 4],
  ])('a failing VM-exit MSR %s aborts', (_, address, count, indicator) => {
    const rig = new Rig().ready();
    entry(rig, 0, 0x1234, 0n);
    rig.set(address, At.msrArea);
    rig.set(count, 1);
    expect(rig.launch()).toBe('ok');
    rig.run(insn('cpuid'));
    expect(rig.vmcs.abort).toBe(indicator);
    expect(rig.machine.requests.length).toBe(1);
  });
});

describe('for people', () => {
  it('describes the current VMCS by class, decoded', () => {
    const rig = new Rig().inGuest();
    exitNow(rig);
    const text = describeVmcsOf(rig.cpu);
    for (const part of [
      'launch state launched',
      'Guest-state area:',
      'CPUID',
      'Host address-space size',
      'PE, ET, NE, PG',
      'DPL 0, P L G',
      'unusable',
    ])
      expect(text).toContain(part);
    expect(describeVmcsOf(rig.cpu, undefined, 'host')).not.toContain('Guest-state');
    expect(describeVmx(rig.cpu)).toContain('1 VM entries, 1 VM exits');
  });

  it('says when there is none', () => {
    const rig = new Rig();
    expect(describeVmcsOf(rig.cpu)).toContain('not in VMX operation');
    expect(describeVmx(rig.cpu)).toContain('not in VMX operation');
    rig.vmxon();
    expect(describeVmcsOf(rig.cpu)).toContain('no current VMCS');
    expect(describeVmcsOf(rig.cpu, 0x123)).toContain('not the address of a page');
    expect(describeVmcsOf(rig.cpu, At.vmcs2)).toContain('revision identifier');
    expect(describeLastFailure(rig.cpu)).toContain('has failed');
  });

  it('names the rule of a failure, its section and the fields', () => {
    const rig = new Rig().ready();
    rig.set(F.hostCr4, 0x20);
    expect(rig.launch()).toBe('VMfail 8');
    expect(describeLastFailure(rig.cpu)).toMatch(
      /vmlaunch at 0x[0-9a-f]+: VM-instruction error 8 .*host\.cr4-fixed, SDM Vol\. 3, 27\.2\.2.*Host CR4 = 0x20/,
    );
  });
});

it('a snapshot of memory is enough to go on as a guest', () => {
  const rig = new Rig().inGuest((r) => r.ept());
  const copy = new Rig();
  copy.machine.linear.u8.set(rig.machine.linear.u8);
  restoreGuestHooks(copy.cpu);
  expect(copy.cpu.guest?.nested).toBe(true);
  expect(copy.run(insn('cpuid'))).toBe('exit 10');
  expect(copy.cpu.rip).toBe(BigInt(At.hostRip));
  restoreGuestHooks(copy.cpu);
  expect(copy.cpu.guest).toBeNull();
});
