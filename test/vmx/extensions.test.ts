import { describe, expect, it } from 'vitest';
import { ABANDONED, GuestFault, Vector } from '../../src/machine/cpu/fault.ts';
import { readLinear, writeLinear } from '../../src/machine/cpu/mmu/access.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { Secondary } from '../../src/machine/vmx/controls.ts';
import { F, REVISION_ID, type VmcsField } from '../../src/machine/vmx/fields.ts';
import { SHADOW_REVISION } from '../../src/machine/vmx/shadow-vmcs.ts';
import { LaunchState, Vmcs } from '../../src/machine/vmx/vmcs.ts';
import { At, insn, memory, Rig, type Outcome } from './rig.ts';

const PAGE = 0x80_0000;
const PDE = At.ept + 0x2000 + 4 * 8;
const PT = At.ept + 0x3000;
const LOG = 0x26_0000;
const LIST = 0x26_1000;
const AREA = 0x26_2000;

/** A guest under EPT with A/D flags; PAGE and the page after it are mapped by 4-KByte entries. */
function guest(secondary: number, prepare: (rig: Rig) => void = () => {}, pointerBits = 0x40n): Rig {
  return new Rig().inGuest((rig) => {
    rig.ept({ pointerBits, flags: 0x307n });
    rig.machine.memory.write64(PDE, BigInt(PT) | 7n);
    for (let n = 0; n < 4; n++) rig.machine.memory.write64(PT + n * 8, BigInt(PAGE + n * 4096) | 0x37n);
    rig.secondary(secondary);
    rig.set(F.pmlAddress, LOG);
    rig.set(F.pmlIndex, 511);
    rig.set(F.eptpListAddress, LIST);
    rig.set(F.veInfoAddress, AREA);
    prepare(rig);
  });
}

/** A data access through the guest's paging and EPT. */
function access(rig: Rig, linear: number, write: boolean): Outcome {
  try {
    if (write) writeLinear(rig.cpu, BigInt(linear), 8, 1n);
    else readLinear(rig.cpu, BigInt(linear), 8);
    return 'ok';
  } catch (e) {
    if (e === ABANDONED) return `exit ${rig.vmcs.num(F.exitReason)}`;
    if (e instanceof GuestFault) return `#${e.vector}`;
    throw e;
  }
}

describe('page-modification log (SDM Vol. 3, 29.3.6)', () => {
  it('logs the page when its dirty flag becomes 1, once', () => {
    const rig = guest(Secondary.enablePml);
    access(rig, PAGE + 0x10, false);
    expect(rig.get(F.pmlIndex)).toBe(511n);
    for (let n = 0; n < 3; n++) expect(access(rig, PAGE + 0x123, true)).toBe('ok');
    expect(rig.get(F.pmlIndex)).toBe(510n);
    expect(rig.machine.memory.read64(LOG + 511 * 8)).toBe(BigInt(PAGE));
    access(rig, PAGE + 0x1000, true);
    expect(rig.get(F.pmlIndex)).toBe(509n);
    expect(rig.machine.memory.read64(LOG + 510 * 8)).toBe(BigInt(PAGE + 0x1000));
  });

  it.each([
    [0, 'ok', 0xffffn],
    [511, 'ok', 510n],
    [512, 'exit 62', 512n],
    [0xffff, 'exit 62', 0xffffn],
  ] as const)('index %d: %s', (index, outcome, after) => {
    const rig = guest(Secondary.enablePml, (r) => r.set(F.pmlIndex, index));
    expect(access(rig, PAGE, true)).toBe(outcome);
    expect(rig.get(F.pmlIndex)).toBe(after);
    expect((rig.machine.memory.read64(PT) & 0x200n) !== 0n).toBe(outcome === 'ok');
    if (outcome !== 'ok') expect(rig.get(F.exitQualification)).toBe(0n);
  });

  it('a full log does not matter to pages that are dirty already, nor to reads', () => {
    const rig = guest(Secondary.enablePml, (r) => {
      r.set(F.pmlIndex, 0xffff);
      r.machine.memory.write64(PT, BigInt(PAGE) | 0x337n);
    });
    expect(access(rig, PAGE, true)).toBe('ok');
    expect(access(rig, PAGE + 0x1000, false)).toBe('ok');
  });

  it('is not used without "enable PML" or without dirty flags', () => {
    for (const rig of [guest(0), guest(Secondary.enablePml, () => {}, 0n)]) {
      expect(access(rig, PAGE, true)).toBe('ok');
      expect(rig.get(F.pmlIndex)).toBe(511n);
    }
  });
});

describe('VM functions (SDM Vol. 3, 26.5.6)', () => {
  const switching = (prepare: (rig: Rig) => void = () => {}): Rig =>
    guest(Secondary.enableVmFunctions, (rig) => {
      rig.set(F.vmFunctionControls, 1);
      // A second set of EPT tables, which maps PAGE elsewhere.
      const ram = rig.machine.memory;
      const other = 0x27_0000;
      ram.write64(other, BigInt(other + 0x1000) | 7n);
      ram.write64(other + 0x1000, BigInt(other + 0x2000) | 7n);
      for (let n = 0; n < 8; n++) ram.write64(other + 0x2000 + n * 8, BigInt((n === 4 ? 5 : n) << 21) | 0xb7n);
      ram.write64(LIST, rig.get(F.eptPointer));
      ram.write64(LIST + 5 * 8, BigInt(other) | 0x1en);
      ram.write64(LIST + 6 * 8, BigInt(other));
      ram.write64(0xa0_0000, 0x55n);
      ram.write64(PAGE, 0x44n);
      prepare(rig);
    });
  const vmfunc = (rig: Rig, eax: number, ecx = 0): Outcome => {
    rig.cpu.setGpr32(0, eax);
    rig.cpu.setGpr32(1, ecx);
    return rig.run(insn('vmfunc'));
  };

  it('switches to an EPTP of the list and back', () => {
    const rig = switching();
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x44n);
    expect(vmfunc(rig, 0, 5)).toBe('ok');
    expect(rig.get(F.eptPointer)).toBe(0x27_001en);
    expect(rig.get(F.eptpIndex)).toBe(5n);
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x55n);
    expect(vmfunc(rig, 0, 0)).toBe('ok');
    expect(readLinear(rig.cpu, BigInt(PAGE), 8)).toBe(0x44n);
  });

  it.each([
    ['an entry beyond the list', 0, 512],
    ['an EPTP that VM entry would not accept', 0, 6],
    ['an empty entry', 0, 100],
    ['a function that is not enabled', 1, 0],
    ['a function that does not exist', 64, 0],
    ['a function number with high bits', 0x8000_0000, 0],
  ])('%s exits', (_, eax, ecx) => {
    const rig = switching();
    const pointer = rig.get(F.eptPointer);
    expect(vmfunc(rig, eax, ecx)).toBe('exit 59');
    expect(rig.get(F.eptPointer)).toBe(pointer);
    expect(rig.get(F.exitInstructionLength)).toBe(3n);
  });

  it('works at CPL 3', () => {
    const rig = switching();
    rig.cpu.setU32(L.CPL, 3);
    expect(vmfunc(rig, 0, 5)).toBe('ok');
  });

  it('is #UD without "enable VM functions", and outside non-root operation', () => {
    expect(vmfunc(guest(0), 0)).toBe('#6');
    expect(vmfunc(new Rig().ready(), 0)).toBe('#6');
  });

  it('exits when no function is enabled', () => {
    expect(
      vmfunc(
        switching((r) => r.set(F.vmFunctionControls, 0)),
        0,
        5,
      ),
    ).toBe('exit 59');
  });
});

describe('virtualization exceptions (SDM Vol. 3, 26.5.7)', () => {
  const violating = (entry: bigint, prepare: (rig: Rig) => void = () => {}): Rig =>
    guest(Secondary.eptViolationVe, (rig) => {
      rig.machine.memory.write64(PT, entry);
      rig.set(F.eptpIndex, 7);
      prepare(rig);
    });

  it('fills the information area and marks it busy', () => {
    const rig = violating(BigInt(PAGE) | 0x31n);
    const ram = rig.machine.memory;
    expect(access(rig, PAGE + 0x18, true)).toBe(`#${Vector.VE}`);
    expect(rig.cpu.guest).not.toBeNull();
    expect(ram.read(AREA, 4)).toBe(48);
    expect(ram.read(AREA + 4, 4)).toBe(0xffff_ffff);
    expect(ram.read64(AREA + 8)).toBe(0x78an);
    expect(ram.read64(AREA + 16)).toBe(BigInt(PAGE + 0x18));
    expect(ram.read64(AREA + 24)).toBe(BigInt(PAGE + 0x18));
    expect(ram.read(AREA + 32, 2)).toBe(7);
    expect(access(rig, PAGE + 0x18, true)).toBe('exit 48');
  });

  it.each([
    ['suppressed by a present entry', (1n << 63n) | BigInt(PAGE) | 0x31n, () => {}, 'exit 48'],
    ['suppressed by an entry that is not present', 1n << 63n, () => {}, 'exit 48'],
    ['an entry that is not present', 0n, () => {}, '#20'],
    ['an area in use', 0n, (r: Rig) => r.machine.memory.write(AREA + 4, 4, 1), 'exit 48'],
    ['a misconfiguration', BigInt(PAGE) | 0x32n, () => {}, 'exit 49'],
  ] as const)('%s', (_, entry, prepare, outcome) => {
    expect(access(violating(entry, prepare), PAGE, true)).toBe(outcome);
  });

  it('does not happen while an event is delivered', () => {
    const rig = violating(0n, (r) => r.set(F.guestRsp, PAGE + 0x100));
    expect(rig.event({ vector: 6, type: 'hardware', errorCode: undefined })).toBe('exit 48');
    expect(rig.get(F.idtVectoringInfo)).toBe(0x8000_0306n);
  });

  it('exits by the exception bitmap', () => {
    const rig = violating(0n, (r) => r.set(F.exceptionBitmap, 1 << 20));
    expect(access(rig, PAGE, true)).toBe('#20');
    expect(rig.event({ vector: 20, type: 'hardware', errorCode: undefined })).toBe('exit 0');
    expect(rig.get(F.exitInterruptionInfo)).toBe(0x8000_0314n);
  });
});

describe('VMCS shadowing (SDM Vol. 3, 25.10 and 31.3)', () => {
  const READS = 0x26_4000;
  const WRITES = 0x26_5000;
  const shadowing = (prepare: (rig: Rig) => void = () => {}): Rig =>
    new Rig().inGuest((rig) => {
      rig.machine.memory.write(At.vmcs2, 4, SHADOW_REVISION);
      rig.secondary(Secondary.vmcsShadowing);
      rig.set(F.vmreadBitmap, READS);
      rig.set(F.vmwriteBitmap, WRITES);
      rig.set(F.vmcsLinkPointer, At.vmcs2);
      prepare(rig);
    });
  const shadow = (rig: Rig): Vmcs => new Vmcs(rig.machine.memory, At.vmcs2);
  const intercepted = (rig: Rig, bitmap: number, { encoding }: VmcsField): void =>
    rig.machine.memory.write(bitmap + (encoding >> 3), 1, 1 << (encoding & 7));
  const vmread = (rig: Rig, encoding: bigint): Outcome => {
    rig.cpu.setGpr(1, encoding);
    return rig.run(insn('vmread', { reg: 1, rm: 0, opsize: 64 }));
  };
  const vmwrite = (rig: Rig, encoding: bigint, value: bigint): Outcome => {
    rig.cpu.setGpr(1, encoding);
    rig.cpu.setGpr(0, value);
    return rig.run(insn('vmwrite', { reg: 1, rm: 0, opsize: 64 }));
  };
  const fields = [F.vpid, F.guestCsSelector, F.tscOffset, F.guestRip, F.pinControls, F.exitReason, F.hostRip, F.guestCr0];

  it.each(fields)('$title is read and written in the shadow VMCS', (f) => {
    const rig = shadowing();
    const before = rig.get(f);
    expect(vmwrite(rig, BigInt(f.encoding), 0x77n)).toBe('ok');
    expect(shadow(rig).read(f)).toBe(0x77n);
    expect(vmread(rig, BigInt(f.encoding))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(0x77n);
    expect(rig.get(f)).toBe(before);
  });

  it.each(fields)('$title exits by its bit', (f) => {
    const reading = shadowing((r) => intercepted(r, READS, f));
    expect(vmwrite(reading, BigInt(f.encoding), 1n)).toBe('ok');
    expect(vmread(reading, BigInt(f.encoding))).toBe('exit 23');
    expect(reading.get(F.exitInstructionInfo)).toBe((1n << 28n) | (1n << 10n));
    const writing = shadowing((r) => intercepted(r, WRITES, f));
    expect(vmread(writing, BigInt(f.encoding))).toBe('ok');
    expect(vmwrite(writing, BigInt(f.encoding), 1n)).toBe('exit 25');
  });

  it.each([0x8000n, 0x1_0000n, 1n << 63n])('encoding %d exits whatever the bitmaps say', (encoding) => {
    expect(vmread(shadowing(), encoding)).toBe('exit 23');
    expect(vmwrite(shadowing(), encoding, 1n)).toBe('exit 25');
  });

  it('an encoding without a field is VMfail 12, noted in the current VMCS', () => {
    const rig = shadowing();
    expect(vmread(rig, 0x7ffen)).toBe('VMfail 12');
  });

  it('without a link pointer is VMfailInvalid', () => {
    const rig = shadowing((r) => r.set(F.vmcsLinkPointer, 0xffff_ffff_ffff_ffffn));
    expect(vmread(rig, BigInt(F.vpid.encoding))).toBe('VMfailInvalid');
    expect(vmwrite(rig, BigInt(F.vpid.encoding), 1n)).toBe('VMfailInvalid');
  });

  it('at CPL 3 the exit comes before #GP', () => {
    const rig = shadowing((r) => intercepted(r, READS, F.vpid));
    rig.cpu.setU32(L.CPL, 3);
    expect(vmread(rig, BigInt(F.tscOffset.encoding))).toBe('#13(0)');
    expect(vmread(rig, BigInt(F.vpid.encoding))).toBe('exit 23');
  });

  it.each([
    ['shadow indicator with shadowing', SHADOW_REVISION, true, 'ok'],
    ['no indicator with shadowing', REVISION_ID, true, 'entry failure 33'],
    ['shadow indicator without shadowing', SHADOW_REVISION, false, 'entry failure 33'],
    ['no indicator without shadowing', REVISION_ID, false, 'ok'],
  ] as const)('link pointer: %s', (_, revision, on, outcome) => {
    const rig = new Rig().ready();
    rig.machine.memory.write(At.vmcs2, 4, revision);
    rig.secondary(on ? Secondary.vmcsShadowing : 0);
    rig.set(F.vmcsLinkPointer, At.vmcs2);
    expect(rig.launch()).toBe(outcome);
    if (outcome !== 'ok') expect(rig.get(F.exitQualification)).toBe(4n);
  });

  it('VMPTRLD takes a shadow VMCS, VMLAUNCH and VMRESUME do not', () => {
    const rig = new Rig().ready();
    rig.machine.memory.write(At.vmcs2, 4, SHADOW_REVISION);
    expect(rig.run(insn('vmptrld', rig.pointer(At.vmcs2)))).toBe('ok');
    expect(rig.run(insn('vmlaunch'))).toBe('VMfailInvalid');
    rig.vmcs.launchState = LaunchState.launched;
    expect(rig.run(insn('vmresume'))).toBe('VMfailInvalid');
  });

  it('VMPTRLD of a shadow VMCS is VMfail 11 where shadowing is not offered, and VMXON always refuses one', () => {
    const rig = new Rig('sandybridge').ready();
    rig.machine.memory.write(At.vmcs2, 4, SHADOW_REVISION);
    expect(rig.run(insn('vmptrld', rig.pointer(At.vmcs2)))).toBe('VMfail 11');
    const off = new Rig();
    off.machine.memory.write(At.vmxon, 4, SHADOW_REVISION);
    expect(off.run(insn('vmxon', off.pointer(At.vmxon)))).toBe('VMfailInvalid');
  });

  it('a memory operand works too', () => {
    const rig = shadowing();
    shadow(rig).write(F.guestRip, 0x99n);
    rig.cpu.setGpr(1, BigInt(F.guestRip.encoding));
    expect(rig.run(insn('vmread', memory(At.operand, { reg: 1, opsize: 64 })))).toBe('ok');
    expect(rig.machine.memory.read64(At.operand)).toBe(0x99n);
  });
});
