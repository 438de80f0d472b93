/** Nothing that must exit is executed without asking, however fast the way that executes it: SDM Vol. 3, 26.1. */
import { describe, expect, it } from 'vitest';
import { rows } from '../../src/machine/cpu/isa/rows/index.ts';
import { MsrSlot, setMsrSlot } from '../../src/machine/cpu/msr.ts';
import type { MachineOptions } from '../../src/machine/machine.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import type { VmxFeatureName } from '../../src/machine/vmx/features.ts';
import { intercepts } from '../../src/machine/vmx/hooks.ts';
import { ExitReason as R } from '../../src/machine/vmx/reasons.ts';
import { currentVmcs } from '../../src/machine/vmx/vmcs.ts';
import { bytes } from '../support/bytes.ts';
import { controlsOn } from './random-vm/controls.ts';
import { guestKinds } from './random-vm/kinds.ts';
import { virtualMachine } from './random-vm/machine.ts';

/** Row name, machine code in 64-bit mode, exit reason: SDM Vol. 3, 26.1.2 and 26.1.3. EAX is 100H, EDX 0, ECX 1 (so that REP has an iteration), RBX, RSI and RDI point to data. */
const exiting: readonly (readonly [name: string, code: string, reason: number])[] = [
  // 26.1.2: always
  ['cpuid', '0fa2', R.cpuid],
  ['invd', '0f08', R.invd],
  ['xsetbv', '0f01d1', R.xsetbv],
  ['invept', '660f38800b', R.invept],
  ['invvpid', '660f38810b', R.invvpid],
  ['vmcall', '0f01c1', R.vmcall],
  ['vmclear', '660fc733', R.vmclear],
  ['vmlaunch', '0f01c2', R.vmlaunch],
  ['vmptrld', '0fc733', R.vmptrld],
  ['vmptrst', '0fc73b', R.vmptrst],
  ['vmresume', '0f01c3', R.vmresume],
  ['vmxoff', '0f01c4', R.vmxoff],
  ['vmxon', 'f30fc733', R.vmxon],
  // 26.1.3: when a control says so
  ['clts', '0f06', R.controlRegister],
  ['hlt', 'f4', R.hlt],
  ['in_imm', 'e480', R.io],
  ['in_dx', 'ed', R.io],
  ['ins', '6c', R.io],
  ['ins', 'f36d', R.io],
  ['out_imm', 'e680', R.io],
  ['out_dx', 'ee', R.io],
  ['outs', '6e', R.io],
  ['outs', 'f36f', R.io],
  ['invlpg', '0f013b', R.invlpg],
  ['invpcid', '660f38820b', R.invpcid],
  ['lgdt', '0f0113', R.gdtrIdtr],
  ['lidt', '0f011b', R.gdtrIdtr],
  ['lldt', '0f00d0', R.ldtrTr],
  ['ltr', '0f00d8', R.ldtrTr],
  ['sgdt', '0f0103', R.gdtrIdtr],
  ['sidt', '0f010b', R.gdtrIdtr],
  ['sldt', '0f00c0', R.ldtrTr],
  ['str', '0f00c8', R.ldtrTr],
  ['lmsw', '0f01f1', R.controlRegister],
  ['monitor', '0f01c8', R.monitor],
  ['mov_r_cr', '0f20d8', R.controlRegister],
  ['mov_r_cr', '440f20c0', R.controlRegister],
  ['mov_cr_r', '0f22c1', R.controlRegister],
  ['mov_cr_r', '0f22d9', R.controlRegister],
  ['mov_cr_r', '0f22e1', R.controlRegister],
  ['mov_cr_r', '440f22c1', R.controlRegister],
  ['mov_r_dr', '0f21f8', R.movDr],
  ['mov_dr_r', '0f23f8', R.movDr],
  ['mwait', '0f01c9', R.mwait],
  ['pause', 'f390', R.pause],
  ['rdmsr', '0f32', R.rdmsr],
  ['rdpmc', '0f33', R.rdpmc],
  ['rdrand', '0fc7f0', R.rdrand],
  ['rdseed', '0fc7f8', R.rdseed],
  ['rdtsc', '0f31', R.rdtsc],
  ['rdtscp', '0f01f9', R.rdtscp],
  ['vmread', '0f78c8', R.vmread],
  ['vmwrite', '0f79c8', R.vmwrite],
  ['wbinvd', '0f09', R.wbinvd],
  ['wbinvd', 'f30f09', R.wbinvd],
  ['wrmsr', '0f30', R.wrmsr],
  ['xrstors', '0fc71b', R.xrstors],
  ['xsaves', '0fc72b', R.xsaves],
  // 26.5.6
  ['vmfunc', '0f01d4', R.vmfunc],
];

/** What VMX non-root operation changes but never makes exit: 26.3. */
const changed: Readonly<Record<string, string>> = {
  iret: 'blocking by NMI ends for the guest, or does not',
  smsw: 'the CR0 read shadow answers',
  rdpid: '#UD without "enable RDTSCP"',
};

/** Listed in 26.1, and on none of these models: without a row the decoder makes #UD of them. */
const notOffered: Readonly<Record<string, string>> = {
  getsec: 'no SMX',
  encls: 'no SGX',
  enclv: 'no SGX',
  tpause: 'no WAITPKG',
  umwait: 'no WAITPKG',
  umonitor: 'no WAITPKG',
  pconfig: 'no total memory encryption',
  loadiwkey: 'no Key Locker',
  seamcall: 'no TDX',
};

/** Controls, all of them on, that make the table's instructions exit. */
const controls: readonly VmxFeatureName[] = [
  'hlt-exiting', 'invlpg-exiting', 'mwait-exiting', 'rdpmc-exiting', 'rdtsc-exiting', 'cr3-load-exiting', 'cr3-store-exiting', 'cr8-load-exiting',
  'cr8-store-exiting', 'mov-dr-exiting', 'unconditional-io-exiting', 'monitor-exiting', 'pause-exiting', 'secondary-controls', 'descriptor-table-exiting', 'rdtscp',
  'wbinvd-exiting', 'rdrand-exiting', 'invpcid', 'vm-functions', 'rdseed-exiting', 'xsaves',
]; // prettier-ignore

/** Passes over the table, whose exits are counted from the first one on. */
const PASSES = 60;

function exitsOf(accel: MachineOptions['accel']): { readonly reasons: readonly number[]; readonly compiled: number; readonly passes: number } {
  const [kind] = guestKinds;
  // mov ebx, 600000H; mov eax, 100H; mov ecx, 1; mov esi, 601000H; mov edi, esi; 1: inc dword [rbx]; the table; jmp 1b
  const prologue = bytes('bb00006000 b800010000 b901000000 be00106000 89f7');
  const body = bytes(`ff03 ${exiting.map(([, code]) => code).join(' ')}`);
  const back = new Uint8Array(5);
  back[0] = 0xe9;
  new DataView(back.buffer).setInt32(1, -(body.length + 5), true);
  const setup = {
    model: 'max',
    code: Uint8Array.of(...prologue, ...body, ...back),
    controls: { features: new Set(controls), kind: kind!, seed: 1n, permissions: 7, timer: 0 },
    arrivals: [],
  };
  const { machine, exits } = virtualMachine(setup, accel);
  const cpu = machine.cpus[0]!;
  const vmcs = currentVmcs(cpu)!;
  expect(controlsOn(vmcs, cpu.model)).toEqual(expect.arrayContaining([...controls]));
  // CLTS, LMSW and MOV to CR0 and CR4: the guest believes in other values than it writes.
  for (const [mask, shadow, value] of [[F.cr0Mask, F.cr0Shadow, 0xan], [F.cr4Mask, F.cr4Shadow, 0x600n]] as const) {
    vmcs.setBig(mask, 0xffff_ffffn);
    vmcs.setBig(shadow, value);
  } // prettier-ignore
  vmcs.setBig(F.xssExitingBitmap, 0x100n);
  vmcs.setNum(F.exceptionBitmap, 0);
  setMsrSlot(cpu, MsrSlot.xss, 0x100n);
  vmcs.setBig(F.guestRflags, 2n);
  while (exits.length < PASSES * exiting.length) expect(machine.run(10_000).kind).toBe('quantum');
  return { reasons: exits.map((e) => e.reason), compiled: machine.runner.regions.instructions, passes: machine.memory.read(0x60_0000, 4) };
}

describe('instructions that cause VM exits', () => {
  it('are helpers, in every encoding, so that intercepts are asked first', () => {
    const names = new Set(exiting.map(([name]) => name));
    for (const name of names) {
      const encodings = rows.filter((r) => r.name === name);
      expect(encodings.length, name).toBeGreaterThan(0);
      expect(encodings.filter((r) => !r.helper).map((r) => r.encoding), name).toEqual([]); // prettier-ignore
      expect(intercepts.has(name), name).toBe(true);
    }
    // And the other way round: an intercept that stands in no list is one that nothing here tests.
    expect([...intercepts.keys()].filter((name) => !names.has(name)).sort()).toEqual(Object.keys(changed).sort());
    expect(rows.filter((r) => r.name in notOffered).map((r) => r.encoding)).toEqual([]);
  });

  it.each([
    ['interpreted', { mode: 'interp' }],
    ['compiled', { mode: 'jit', threshold: 1 }],
  ] as const)('exit every time, %s', (_, accel) => {
    const wanted = exiting.map(([name, code, reason]) => `${name} ${code}: ${reason}`);
    const { reasons, compiled, passes } = exitsOf(accel);
    for (let n = 0; n + wanted.length <= reasons.length; n += wanted.length) {
      const pass = reasons.slice(n, n + wanted.length).map((reason, k) => `${exiting[k]![0]} ${exiting[k]![1]}: ${reason}`);
      expect(pass, `pass ${n / wanted.length}`).toEqual(wanted);
    }
    expect(passes).toBeGreaterThanOrEqual(PASSES);
    if (accel.mode === 'jit') expect(compiled).toBeGreaterThan(0);
  });
});
