import { describe, expect, it } from 'vitest';
import { CR4, Flag } from '../../src/machine/cpu/cpu.ts';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import { MsrSlot, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import { setCodeSegment } from '../../src/machine/cpu/system/segments.ts';
import { Primary, Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { intercepts } from '../../src/machine/vmx/hooks.ts';
import { At, insn, memory, Rig, type Outcome } from './rig.ts';

type Prepare = (rig: Rig) => void;
interface ExitCase {
  readonly name: string;
  readonly insn?: Partial<Insn>;
  /** Before VM entry. */
  readonly vmcs?: Prepare;
  /** In the guest. */
  readonly guest?: Prepare;
  readonly outcome: Outcome;
  readonly qualification?: bigint;
  readonly info?: bigint;
  readonly linear?: bigint;
  readonly why?: string;
  readonly model?: string;
}

const primary =
  (...bits: number[]): Prepare =>
  (rig) =>
    bits.forEach((b) => rig.primary(b));
const secondary =
  (bits: number): Prepare =>
  (rig) =>
    rig.secondary(bits);
const cpl3: Prepare = ({ cpu }) => cpu.setU32(L.CPL, 3);
const cr4 =
  (set: number): Prepare =>
  ({ cpu }) =>
    void (cpu.cr4 |= BigInt(set));
const gpr =
  (n: number, v: bigint): Prepare =>
  ({ cpu }) =>
    cpu.setGpr(n, v);
const all =
  (...steps: Prepare[]): Prepare =>
  (rig) =>
    steps.forEach((s) => s(rig));
const compatibility: Prepare = ({ cpu }) => setCodeSegment(cpu, 8, 0n, 0xffff_ffff, 0xc09b, 0);

/** [rsi + rbx*4 + 10H] with an FS override. */
const SIB: Partial<Insn> = { isMemory: true, base: 6, index: 3, scale: 2, disp: 0x10n, segment: 4, segmentOverride: true };
const SIB_INFO = 2n | (2n << 7n) | (4n << 15n) | (3n << 18n) | (6n << 23n);
/** [rip + 20H]: no base, no index. */
const RIP: Partial<Insn> = { isMemory: true, base: 16, disp: 0x20n, segment: 3 };
const RIP_INFO = (2n << 7n) | (3n << 15n) | (1n << 22n) | (1n << 27n);
const RIP_TARGET = BigInt(At.guestCode) + 3n + 0x20n;
const MINUS: Partial<Insn> = { isMemory: true, base: 0, disp: -8n, segment: 3 };
const MINUS_INFO = (2n << 7n) | (3n << 15n) | (1n << 22n);

const cases: readonly ExitCase[] = [
  // SDM Vol. 3, 26.1.2: unconditional.
  { name: 'cpuid', outcome: 'exit 10' },
  { name: 'cpuid', guest: cpl3, outcome: 'exit 10', why: 'at CPL 3' },
  { name: 'invd', outcome: 'exit 13' },
  { name: 'invd', guest: cpl3, outcome: '#13(0)', why: 'the privilege fault comes first' },
  { name: 'xsetbv', model: 'haswell', guest: cr4(CR4.OSXSAVE), outcome: 'exit 55' },
  { name: 'xsetbv', model: 'haswell', guest: all(cr4(CR4.OSXSAVE), cpl3), outcome: '#13(0)' },
  { name: 'vmcall', outcome: 'exit 18' },
  { name: 'vmcall', guest: cpl3, outcome: 'exit 18', why: 'at CPL 3' },
  { name: 'vmcall', guest: compatibility, outcome: 'exit 18', why: 'in compatibility mode' },
  ...(['vmlaunch', 'vmresume', 'vmxoff'] as const).flatMap((name): ExitCase[] => {
    const reason = { vmlaunch: 20, vmresume: 24, vmxoff: 26 }[name];
    return [
      { name, outcome: `exit ${reason}` },
      { name, guest: cpl3, outcome: `exit ${reason}`, why: 'at CPL 3' },
      { name, guest: compatibility, outcome: '#6' },
    ];
  }),
  ...(['vmclear', 'vmptrld', 'vmptrst', 'vmxon'] as const).flatMap((name): ExitCase[] => {
    const reason = { vmclear: 19, vmptrld: 21, vmptrst: 22, vmxon: 27 }[name];
    return [
      { name, insn: SIB, outcome: `exit ${reason}`, qualification: 0x10n, info: SIB_INFO },
      { name, insn: RIP, outcome: `exit ${reason}`, qualification: RIP_TARGET, info: RIP_INFO, why: 'RIP-relative' },
      { name, insn: SIB, guest: compatibility, outcome: '#6' },
      { name, outcome: '#6', why: 'register operand' },
    ];
  }),
  { name: 'vmread', insn: { reg: 9, rm: 3 }, outcome: 'exit 23', qualification: 0n, info: (9n << 28n) | (1n << 10n) | (3n << 3n) },
  { name: 'vmread', insn: { ...SIB, reg: 9 }, outcome: 'exit 23', qualification: 0x10n, info: (9n << 28n) | SIB_INFO },
  { name: 'vmwrite', insn: { reg: 15, rm: 0 }, outcome: 'exit 25', info: (15n << 28n) | (1n << 10n) },
  {
    name: 'vmwrite',
    insn: { ...MINUS, reg: 1 },
    outcome: 'exit 25',
    qualification: 0xffff_ffff_ffff_fff8n,
    info: (1n << 28n) | (2n << 7n) | (3n << 15n) | (1n << 22n),
  },
  { name: 'invept', insn: { ...SIB, reg: 2 }, outcome: 'exit 50', qualification: 0x10n, info: (2n << 28n) | SIB_INFO },
  { name: 'invvpid', insn: { ...SIB, reg: 2 }, outcome: 'exit 53', qualification: 0x10n, info: (2n << 28n) | SIB_INFO },
  { name: 'invept', insn: { ...SIB, reg: 2 }, model: 'penryn', outcome: '#6' },
  { name: 'vmfunc', outcome: '#6' },

  // SDM Vol. 3, 26.1.3: by control; without it the instruction works, and privilege comes first.
  { name: 'hlt', vmcs: primary(Primary.hltExiting), outcome: 'exit 12' },
  { name: 'hlt', outcome: 'ok' },
  { name: 'hlt', vmcs: primary(Primary.hltExiting), guest: cpl3, outcome: '#13(0)' },
  {
    name: 'invlpg',
    insn: SIB,
    vmcs: primary(Primary.invlpgExiting),
    guest: all(gpr(6, 0x1000n), gpr(3, 0x40n)),
    outcome: 'exit 14',
    qualification: 0x1110n,
  },
  { name: 'invlpg', insn: memory(At.operand), outcome: 'ok' },
  { name: 'invlpg', insn: SIB, vmcs: primary(Primary.invlpgExiting), guest: cpl3, outcome: '#13(0)' },
  {
    name: 'invpcid',
    model: 'haswell',
    insn: { ...SIB, reg: 7 },
    vmcs: all(primary(Primary.invlpgExiting), secondary(Secondary.enableInvpcid)),
    outcome: 'exit 58',
    qualification: 0x10n,
    info: (7n << 28n) | SIB_INFO,
  },
  { name: 'invpcid', model: 'haswell', insn: { ...SIB, reg: 7 }, vmcs: primary(Primary.invlpgExiting), outcome: '#6', why: 'not enabled' },
  { name: 'rdtsc', vmcs: primary(Primary.rdtscExiting), outcome: 'exit 16' },
  { name: 'rdtsc', outcome: 'ok' },
  { name: 'rdtsc', vmcs: primary(Primary.rdtscExiting), guest: all(cpl3, cr4(CR4.TSD)), outcome: '#13(0)' },
  { name: 'rdtscp', vmcs: all(primary(Primary.rdtscExiting), secondary(Secondary.enableRdtscp)), outcome: 'exit 51' },
  { name: 'rdtscp', vmcs: secondary(Secondary.enableRdtscp), outcome: 'ok' },
  { name: 'rdtscp', outcome: '#6', why: 'not enabled' },
  { name: 'rdpid', model: 'max', vmcs: secondary(Secondary.enableRdtscp), outcome: 'ok' },
  { name: 'rdpid', model: 'max', outcome: '#6', why: 'not enabled' },
  ...(['xsaves', 'xrstors'] as const).flatMap((name): ExitCase[] => {
    const enabled = secondary(Secondary.enableXsaves);
    const bitmap: Prepare = (rig) => rig.set(F.xssExitingBitmap, 0x100);
    const xss = all(cr4(CR4.OSXSAVE), gpr(0, 0x100n), gpr(2, 0n), ({ cpu }) => setMsrSlot(cpu, MsrSlot.xss, 0x100n));
    const outcome = name === 'xsaves' ? 'exit 63' : 'exit 64';
    return [
      { name, insn: SIB, vmcs: all(enabled, bitmap), guest: xss, outcome, qualification: 0x10n, info: SIB_INFO },
      { name, insn: SIB, vmcs: bitmap, guest: xss, outcome: '#6', why: 'not enabled' },
      { name, insn: SIB, vmcs: all(enabled, bitmap), guest: all(xss, cpl3), outcome: '#13(0)', why: 'the privilege fault comes first' },
      { name, insn: SIB, vmcs: all(enabled, bitmap), guest: gpr(0, 0x100n), outcome: '#6', why: 'CR4.OSXSAVE is 0' },
    ];
  }),
  { name: 'rdpmc', vmcs: primary(Primary.rdpmcExiting), outcome: 'exit 15' },
  { name: 'rdpmc', vmcs: primary(Primary.rdpmcExiting), guest: cpl3, outcome: '#13(0)' },
  { name: 'pause', vmcs: primary(Primary.pauseExiting), guest: cpl3, outcome: 'exit 40' },
  { name: 'wbinvd', vmcs: secondary(Secondary.wbinvdExiting), outcome: 'exit 54' },
  { name: 'wbinvd', vmcs: secondary(Secondary.wbinvdExiting), guest: cpl3, outcome: '#13(0)' },
  { name: 'wbinvd', outcome: 'ok' },
  { name: 'monitor', vmcs: primary(Primary.monitorExiting), outcome: 'exit 39' },
  { name: 'mwait', vmcs: primary(Primary.mwaitExiting), outcome: 'exit 36' },

  // Control registers: table 28-3.
  { name: 'mov_cr_r', insn: { reg: 3, rm: 9 }, vmcs: primary(Primary.cr3LoadExiting), outcome: 'exit 28', qualification: 0x903n },
  {
    name: 'mov_cr_r',
    insn: { reg: 3, rm: 9 },
    vmcs: all(primary(Primary.cr3LoadExiting), (rig) => {
      rig.set(F.cr3TargetCount, 1);
      rig.set(F.cr3Target0, rig.cpu.cr3);
    }),
    guest: (rig) => rig.cpu.setGpr(9, rig.cpu.cr3),
    outcome: 'ok',
    why: 'a CR3-target value',
  },
  {
    name: 'mov_cr_r',
    insn: { reg: 3, rm: 9 },
    vmcs: all(primary(Primary.cr3LoadExiting), (rig) => {
      rig.set(F.cr3TargetCount, 1);
      rig.set(F.cr3Target1, 0x1000);
    }),
    guest: gpr(9, 0x1000n),
    outcome: 'exit 28',
    qualification: 0x903n,
    why: 'a CR3-target value beyond the count',
  },
  { name: 'mov_cr_r', insn: { reg: 3, rm: 9 }, vmcs: primary(Primary.cr3LoadExiting), guest: cpl3, outcome: '#13(0)' },
  { name: 'mov_r_cr', insn: { reg: 3, rm: 2 }, vmcs: primary(Primary.cr3StoreExiting), outcome: 'exit 28', qualification: 0x213n },
  { name: 'mov_r_cr', insn: { reg: 3, rm: 2 }, outcome: 'ok' },
  { name: 'mov_cr_r', insn: { reg: 8, rm: 0 }, vmcs: primary(Primary.cr8LoadExiting), outcome: 'exit 28', qualification: 8n },
  { name: 'mov_r_cr', insn: { reg: 8, rm: 1 }, vmcs: primary(Primary.cr8StoreExiting), outcome: 'exit 28', qualification: 0x118n },
  { name: 'mov_cr_r', insn: { reg: 5, rm: 0 }, vmcs: primary(Primary.cr3LoadExiting), outcome: '#6', why: 'CR5 does not exist' },
  { name: 'clts', vmcs: (rig) => [rig.set(F.cr0Mask, 8), rig.set(F.cr0Shadow, 8)], outcome: 'exit 28', qualification: 0x20n },
  { name: 'clts', vmcs: (rig) => [rig.set(F.cr0Mask, 8), rig.set(F.cr0Shadow, 0)], outcome: 'ok' },
  { name: 'clts', vmcs: (rig) => rig.set(F.cr0Shadow, 8), outcome: 'ok' },
  { name: 'lmsw', insn: { rm: 2 }, vmcs: (rig) => rig.set(F.cr0Mask, 8), guest: gpr(2, 0x9n), outcome: 'exit 28', qualification: 0x9_0030n },
  {
    name: 'lmsw',
    insn: memory(At.operand),
    vmcs: (rig) => [rig.set(F.cr0Mask, 2), rig.machine.memory.write(At.operand, 2, 0xff03)],
    outcome: 'exit 28',
    qualification: 0xff03_0070n,
    linear: BigInt(At.operand),
  },
  {
    name: 'lmsw',
    insn: { rm: 2 },
    vmcs: (rig) => [rig.set(F.cr0Mask, 1), rig.set(F.cr0Shadow, 1)],
    guest: gpr(2, 0n),
    outcome: 'ok',
    why: 'clearing PE is ignored',
  },
  { name: 'mov_dr_r', insn: { reg: 7, rm: 1 }, vmcs: primary(Primary.movDrExiting), outcome: 'exit 29', qualification: 0x107n },
  { name: 'mov_r_dr', insn: { reg: 6, rm: 10 }, vmcs: primary(Primary.movDrExiting), outcome: 'exit 29', qualification: 0xa16n },
  { name: 'mov_r_dr', insn: { reg: 4, rm: 0 }, vmcs: primary(Primary.movDrExiting), guest: cr4(CR4.DE), outcome: '#6' },
  {
    name: 'mov_dr_r',
    insn: { reg: 0, rm: 0 },
    vmcs: primary(Primary.movDrExiting),
    guest: ({ cpu }) => cpu.setDr(7, 0x2400n),
    outcome: 'exit 29',
    why: 'before #DB of DR7.GD',
  },
  { name: 'mov_dr_r', insn: { reg: 7, rm: 1 }, vmcs: primary(Primary.movDrExiting), guest: cpl3, outcome: '#13(0)' },

  // I/O: table 28-5.
  {
    name: 'in_dx',
    insn: { opsize: 8 },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: gpr(2, 0x64n),
    outcome: 'exit 30',
    qualification: 0x64_0008n,
  },
  { name: 'in_imm', insn: { opsize: 32, imm: 0x71n }, vmcs: primary(Primary.unconditionalIoExiting), outcome: 'exit 30', qualification: 0x71_004bn },
  { name: 'out_imm', insn: { opsize: 16, imm: -1n }, vmcs: primary(Primary.unconditionalIoExiting), outcome: 'exit 30', qualification: 0xff_0041n },
  {
    name: 'out_dx',
    insn: { opsize: 32 },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: gpr(2, 0xcf8n),
    outcome: 'exit 30',
    qualification: 0xcf8_0003n,
  },
  { name: 'out_dx', insn: { opsize: 32 }, guest: gpr(2, 0xcf8n), outcome: 'ok' },
  {
    name: 'out_dx',
    insn: { opsize: 32 },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: all(cpl3, gpr(2, 0xcf8n)),
    outcome: '#13(0)',
    why: 'the I/O permission bitmap comes first',
  },
  {
    name: 'ins',
    insn: { opsize: 16, rep: 0xf3 },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: all(gpr(1, 4n), gpr(2, 0x1f0n), gpr(7, 0x5000n)),
    outcome: 'exit 30',
    qualification: 0x1f0_0039n,
    info: 2n << 7n,
    linear: 0x5000n,
  },
  {
    name: 'outs',
    insn: { opsize: 8, addrsize: 32, segment: 5, segmentOverride: true },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: all(gpr(2, 0x3f8n), gpr(6, 0x1_0000_6000n), ({ cpu }) => void (cpu.segments[L.GS]!.base = 0x100n)),
    outcome: 'exit 30',
    qualification: 0x3f8_0010n,
    info: (1n << 7n) | (5n << 15n),
    linear: 0x6100n,
  },
  {
    name: 'ins',
    insn: { opsize: 8, rep: 0xf3 },
    vmcs: primary(Primary.unconditionalIoExiting),
    guest: gpr(1, 0n),
    outcome: 'ok',
    why: 'no iteration',
  },
  ...[
    [0x7fff, 1, 'a'],
    [0x8000, 1, 'b'],
    [0x7fff, 2, 'b'],
    [0x10, 4, 'a'],
  ].map(([port, size, bitmap]): ExitCase => ({
    name: 'in_dx',
    insn: { opsize: ((size as number) * 8) as 8 },
    vmcs: all(primary(Primary.useIoBitmaps, Primary.unconditionalIoExiting), ({ machine }) => {
      // The last port of the access has its bit set.
      const p = (port as number) + (size as number) - 1;
      const at = (bitmap === 'a' ? At.ioBitmapA : At.ioBitmapB) + ((p & 0x7fff) >> 3);
      machine.memory.write(at, 1, 1 << (p & 7));
    }),
    guest: gpr(2, BigInt(port as number)),
    outcome: 'exit 30',
    qualification: (BigInt(port as number) << 16n) | 8n | BigInt((size as number) - 1),
    why: `bitmap ${bitmap}`,
  })),
  {
    name: 'in_dx',
    insn: { opsize: 8 },
    vmcs: primary(Primary.useIoBitmaps, Primary.unconditionalIoExiting),
    guest: gpr(2, 0x64n),
    outcome: 'ok',
    why: 'bitmaps overrule the unconditional control',
  },
  {
    name: 'in_dx',
    insn: { opsize: 16 },
    vmcs: primary(Primary.useIoBitmaps),
    guest: gpr(2, 0xffffn),
    outcome: 'exit 30',
    qualification: 0xffff_0009n,
    why: 'wraps around',
  },

  // MSRs: 25.6.9.
  { name: 'rdmsr', guest: gpr(1, 0x10n), outcome: 'exit 31', why: 'without bitmaps' },
  { name: 'wrmsr', guest: gpr(1, 0x10n), outcome: 'exit 32', why: 'without bitmaps' },
  { name: 'rdmsr', guest: all(gpr(1, 0x10n), cpl3), outcome: '#13(0)' },
  { name: 'rdmsr', vmcs: primary(Primary.useMsrBitmaps), guest: gpr(1, 0x10n), outcome: 'ok' },
  { name: 'wrmsr', vmcs: primary(Primary.useMsrBitmaps), guest: gpr(1, 0x174n), outcome: 'ok' },
  ...(
    [
      [0x10, 0, 2],
      [0x1fff, 0x3ff, 0x80],
      [0xc000_0080, 0x410, 1],
      [0xc000_1fff, 0x7ff, 0x80],
    ] as const
  ).flatMap(([index, at, bit]): ExitCase[] => {
    const set = (offset: number, value: number): Prepare =>
      all(primary(Primary.useMsrBitmaps), ({ machine }) => machine.memory.write(At.msrBitmaps + offset, 1, value));
    const offset = index === 0x10 ? 2 : at;
    const mask = index === 0x10 ? 1 : bit;
    return [
      { name: 'rdmsr', vmcs: set(offset, mask), guest: gpr(1, BigInt(index)), outcome: 'exit 31', why: `read bitmap, MSR ${index.toString(16)}` },
      {
        name: 'wrmsr',
        vmcs: set(offset + 0x800, mask),
        guest: gpr(1, BigInt(index)),
        outcome: 'exit 32',
        why: `write bitmap, MSR ${index.toString(16)}`,
      },
    ];
  }),
  ...[0x2000n, 0xbfff_ffffn, 0xc000_2000n, 0xffff_ffffn].map((index): ExitCase => ({
    name: 'rdmsr',
    vmcs: primary(Primary.useMsrBitmaps),
    guest: gpr(1, index),
    outcome: 'exit 31',
    why: `MSR ${index.toString(16)} is in no range`,
  })),

  // Descriptor tables: tables 28-10 and 28-11.
  ...(['sgdt', 'sidt', 'lgdt', 'lidt'] as const).flatMap((name, n): ExitCase[] => [
    {
      name,
      insn: { ...SIB, opsize: 64 },
      vmcs: secondary(Secondary.descriptorTableExiting),
      outcome: 'exit 46',
      qualification: 0x10n,
      info: SIB_INFO | (1n << 11n) | (BigInt(n) << 28n),
    },
    n < 2
      ? {
          name,
          insn: { ...MINUS, opsize: 64 },
          vmcs: secondary(Secondary.descriptorTableExiting),
          guest: cpl3,
          outcome: 'exit 46',
          qualification: 0xffff_ffff_ffff_fff8n,
          info: MINUS_INFO | (1n << 11n) | (BigInt(n) << 28n),
          why: 'at CPL 3',
        }
      : { name, insn: SIB, vmcs: secondary(Secondary.descriptorTableExiting), guest: cpl3, outcome: '#13(0)' },
  ]),
  ...(['sldt', 'str', 'lldt', 'ltr'] as const).flatMap((name, n): ExitCase[] => [
    {
      name,
      insn: { rm: 5 },
      vmcs: secondary(Secondary.descriptorTableExiting),
      outcome: 'exit 47',
      info: (1n << 10n) | (5n << 3n) | (BigInt(n) << 28n),
    },
    {
      name,
      insn: SIB,
      vmcs: secondary(Secondary.descriptorTableExiting),
      outcome: 'exit 47',
      qualification: 0x10n,
      info: SIB_INFO | (BigInt(n) << 28n),
    },
  ]),
];

describe('instructions in non-root operation', () => {
  it.each(cases.map((c) => [`${c.name} ${c.outcome}${c.why ? ` (${c.why})` : ''}`, c] as const))('%s', (_, c) => {
    const rig = new Rig(c.model).inGuest((r) => {
      // Controls of the default1 class that these cases switch on one by one.
      r.bits(F.primaryControls, 0, Primary.cr3LoadExiting | Primary.cr3StoreExiting);
      if (c.model === 'penryn') r.bits(F.primaryControls, Primary.cr3LoadExiting | Primary.cr3StoreExiting);
      c.vmcs?.(r);
    });
    c.guest?.(rig);
    rig.cpu.sysflags |= Flag.RF;
    expect(rig.run(insn(c.name, c.insn))).toBe(c.outcome);
    if (!c.outcome.startsWith('exit')) {
      expect(rig.cpu.guest).not.toBeNull();
      return;
    }
    expect(rig.get(F.exitInstructionLength)).toBe(3n);
    expect(rig.get(F.guestRip)).toBe(BigInt(At.guestCode));
    expect(rig.get(F.guestRflags) & BigInt(Flag.RF)).toBe(0n);
    expect(rig.get(F.exitQualification)).toBe(c.qualification ?? 0n);
    expect(rig.get(F.exitInstructionInfo)).toBe(c.info ?? 0n);
    expect(rig.get(F.guestLinearAddress)).toBe(c.linear ?? 0n);
    expect(rig.get(F.exitInterruptionInfo)).toBe(0n);
    expect(rig.get(F.idtVectoringInfo)).toBe(0n);
    expect(rig.cpu.rip).toBe(BigInt(At.hostRip));
  });
});

describe('CR0 and CR4 guest/host masks and read shadows', () => {
  const PG = 1n << 31n;
  it('reads give the shadow for bits owned by the host', () => {
    const rig = new Rig().inGuest((r) => {
      r.set(F.cr0Mask, 0x2en);
      r.set(F.cr0Shadow, 0x0cn);
      r.set(F.cr4Mask, 0x2000n);
      r.set(F.cr4Shadow, 0n);
    });
    const { cpu } = rig;
    expect(rig.run(insn('mov_r_cr', { reg: 0, rm: 0 }))).toBe('ok');
    expect(cpu.gpr(0)).toBe((cpu.cr0 & ~0x2en) | 0x0cn);
    expect(rig.run(insn('smsw', { rm: 3, opsize: 16 }))).toBe('ok');
    expect(cpu.gpr16(3)).toBe(Number(((cpu.cr0 & ~0x2en) | 0x0cn) & 0xffffn));
    expect(rig.run(insn('mov_r_cr', { reg: 4, rm: 0 }))).toBe('ok');
    expect(cpu.gpr(0) & 0x2000n).toBe(0n);
    expect(cpu.cr4 & 0x2000n).toBe(0x2000n);
  });

  it('writes that do not exit keep the bits owned by the host', () => {
    const rig = new Rig().inGuest((r) => {
      r.set(F.cr0Mask, 0x8000_0021n);
      r.set(F.cr0Shadow, 1n | PG);
      r.set(F.cr4Mask, 0x2000n);
    });
    const { cpu } = rig;
    cpu.setGpr(0, PG | 1n | 8n);
    expect(rig.run(insn('mov_cr_r', { reg: 0, rm: 0 }))).toBe('ok');
    expect(cpu.cr0 & 0x28n).toBe(0x28n);
    cpu.setGpr(0, 0xa0n);
    expect(rig.run(insn('mov_cr_r', { reg: 4, rm: 0 }))).toBe('ok');
    expect(cpu.cr4).toBe(0x20a0n);
  });

  it.each([
    ['CR0', 0, F.cr0Mask, F.cr0Shadow, 8n],
    ['CR4', 4, F.cr4Mask, F.cr4Shadow, 0x10n],
  ] as const)('a write of %s that differs from the shadow in a bit of the mask exits', (_, cr, mask, shadow, bit) => {
    const rig = new Rig().inGuest((r) => {
      r.set(mask, bit);
      r.set(shadow, bit);
    });
    rig.cpu.setGpr(3, cr === 0 ? rig.cpu.cr0 & ~bit : rig.cpu.cr4 & ~bit);
    expect(rig.run(insn('mov_cr_r', { reg: cr, rm: 3 }))).toBe('exit 28');
    expect(rig.get(F.exitQualification)).toBe(BigInt(cr | 0x300));
  });

  it('#GP for a value that VMX does not allow, in a bit that the guest owns', () => {
    const rig = new Rig().inGuest();
    rig.cpu.setGpr(0, rig.cpu.cr0 & ~0x20n);
    expect(rig.run(insn('mov_cr_r', { reg: 0, rm: 0 }))).toBe('#13(0)');
    rig.cpu.setGpr(0, rig.cpu.cr4 & ~0x2000n);
    expect(rig.run(insn('mov_cr_r', { reg: 4, rm: 0 }))).toBe('#13(0)');
  });
});

describe('TPR shadow', () => {
  const shadowed = (threshold: number): Rig =>
    new Rig().inGuest((r) => {
      r.machine.memory.write(At.virtualApic + 0x80, 1, 0x70);
      r.primary(Primary.useTprShadow);
      r.set(F.tprThreshold, threshold);
    });

  it('MOV from CR8 reads VTPR', () => {
    const rig = shadowed(0);
    expect(rig.run(insn('mov_r_cr', { reg: 8, rm: 0 }))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(7n);
  });

  it('MOV to CR8 writes VTPR, and exits below the threshold with the instruction complete', () => {
    const rig = shadowed(5);
    rig.cpu.setGpr(0, 5n);
    expect(rig.run(insn('mov_cr_r', { reg: 8, rm: 0 }))).toBe('ok');
    expect(rig.machine.memory.read(At.virtualApic + 0x80, 4)).toBe(0x50);
    rig.cpu.setGpr(0, 4n);
    expect(rig.run(insn('mov_cr_r', { reg: 8, rm: 0 }))).toBe('exit 43');
    expect(rig.get(F.guestRip)).toBe(BigInt(At.guestCode) + 6n);
    expect(rig.machine.memory.read(At.virtualApic + 0x80, 4)).toBe(0x40);
    expect(rig.cpu.irq.getCr8()).toBe(0);
  });

  it('MOV to CR8 of a reserved bit is #GP(0)', () => {
    const rig = shadowed(0);
    rig.cpu.setGpr(0, 0x10n);
    expect(rig.run(insn('mov_cr_r', { reg: 8, rm: 0 }))).toBe('#13(0)');
  });
});

describe('TSC offset', () => {
  it('is in effect in non-root operation only', () => {
    const rig = new Rig().inGuest((r) => {
      r.primary(Primary.useTscOffsetting);
      r.set(F.tscOffset, -1000n & 0xffff_ffff_ffff_ffffn);
      r.machine.clock.advance(5000);
    });
    expect(rig.run(insn('rdtsc'))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(4000n);
    expect(rig.run(insn('cpuid'))).toBe('exit 10');
    expect(rig.run(insn('rdtsc'))).toBe('ok');
    expect(rig.cpu.gpr(0)).toBe(5000n);
  });
});

it('every instruction that is intercepted is written in TypeScript, where intercepts are asked', () => {
  for (const name of intercepts.keys()) {
    const found = rows.filter((row) => row.name === name);
    expect(found.length, name).toBeGreaterThan(0);
    for (const row of found) expect(row.helper, `${name} ${row.encoding}`).toBe(true);
  }
});
