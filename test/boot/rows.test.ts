import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { apRow, rows, rowsWith, type Row } from './rows.ts';
import { walk, type Stop, type Walk } from './walk.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the guest does on each model: with EPT or not, starting in real mode or not. */
const models = [
  { cpu: 'penryn', ept: false, start: 'long mode' },
  { cpu: 'nehalem', ept: true, start: 'long mode' },
  { cpu: 'skylake', ept: true, start: 'real mode' },
] as const;

const atLaunch = ['monitor info vmcs guest', 'monitor info vmcs control', 'printf "@guest rip=%lx cr3=%lx\\n", $guest_rip, $guest_cr3'];
const then = [
  'stepi 2',
  'bt 2',
  'finish',
  'printf "@back "',
  'info symbol $pc',
  'finish',
  'printf "\\n@firmware vmx="',
  'output $vmx',
  'printf " cr3=%lx\\n", $cr3',
];

for (const model of models) {
  for (const cpus of [1, 2]) {
    const expected = rowsWith(cpus);
    describe(`${model.cpu}, ${cpus} CPU${cpus > 1 ? 's' : ''}`, () => {
      let boot: Promise<Walk> | undefined;
      const booted = (): Promise<Walk> => (boot ??= walk(['--cpu', model.cpu, '--smp', `${cpus}`], expected, { at: { vmlaunch: atLaunch }, then }));

      it('every row is hit, in order, on its CPU', async () => {
        const { stops, output } = await booted();
        expect(
          stops.map((s) => `${s.symbol} ${s.thread}`),
          output,
        ).toEqual(expected.map((r) => `${functionOf(r)} ${r.thread ?? 1}`));
        expect(stops.filter((s) => s.text.includes('apinitproc0')).length).toBe(cpus - 1);
      });

      it.each(expected.map((row, n) => ({ row, n })))('$row.symbol: source, mode, VMX, backtrace', async ({ row, n }) => {
        const stop = (await booted()).stops[n]!;
        expect(stop.source).toMatch(new RegExp(`guest/src/(?:.*/)?${row.file}:\\d+$`));
        expect(existsSync(root + stop.source.replace(/:\d+$/, ''))).toBe(true);
        expect(stop.mode).toBe('long64');
        expect(stop.vmx).toBe(row.vmx);
        expect(stop.frames).toEqual([functionOf(row), ...row.callers]);
        if (/^vm/.test(stop.instruction)) expect(stop.instruction).toMatch(new RegExp(`^${row.symbol}\\b`));
      });

      it('page tables: the firmware’s, the loader’s, the VMM’s, each one the same throughout', async () => {
        const { stops } = await booted();
        const seen = new Map<Row['tables'], Set<string>>();
        for (const [n, row] of expected.entries()) seen.set(row.tables, (seen.get(row.tables) ?? new Set()).add(stops[n]!.cr3));
        expect([...seen.values()].map((s) => s.size)).toEqual([1, 1, 1]);
        expect(new Set([...seen.values()].flatMap((s) => [...s])).size).toBe(3);
      });

      it('at vmlaunch the VMCS shows the guest’s RIP and CR3 and the controls', async () => {
        const { stops } = await booted();
        const stop = stops.find((s) => s.text.includes('@guest'))!;
        const firmwareCr3 = stops[0]!.cr3;
        expect(stop.instruction).toMatch(/^vmlaunch/);
        expect(stop.text).toMatch(/VMCS at 0x[0-9a-f]+, launch state clear/);
        expect(stop.text).toContain(`@guest rip=${field(stop, 'Guest RIP')!.toString(16)} cr3=${firmwareCr3}`);
        // The bootcode below 1 MiB: at its segment's start in real mode, at its own linear address in long mode.
        expect(field(stop, 'Guest CS base')! + field(stop, 'Guest RIP')!).toBeLessThan(0x10_0000n);
        expect(field(stop, 'Guest CS base') === 0n).toBe(model.start === 'long mode');
        expect(field(stop, 'Guest CR3')).toBe(BigInt(`0x${firmwareCr3}`));
        // SDM Vol. 3, table 25-6: EPT is bit 1, unrestricted guest bit 7; CR0.PE and PG are clear in real mode.
        const secondary = model.ept ? field(stop, 'Secondary processor-based VM-execution controls')! : 0n;
        expect(Boolean(secondary & 2n)).toBe(model.ept);
        expect(Boolean(secondary & 0x80n)).toBe(model.start === 'real mode');
        expect(field(stop, 'Guest CR0')! & 0x8000_0001n).toBe(model.start === 'real mode' ? 0n : 0x8000_0001n);
        // IA-32e mode guest is bit 9 of the entry controls, table 25-15.
        expect(Boolean(field(stop, 'VM-entry controls')! & 0x200n)).toBe(model.start === 'long mode');
      });

      it('the guest comes back to efi_main, then to the firmware, and vmxscope ends with status 0', async () => {
        const { output, stops, machine } = await booted();
        expect(output).toMatch(/#0 .*uefi_entry_ret .*\n#1 .*in efi_main /);
        expect(output).toMatch(/@back efi_main \+ \d+ in section \.text/);
        expect(output).toContain(`@firmware vmx=guest cr3=${stops[0]!.cr3}`);
        expect(machine.status, machine.stderr).toBe(0);
        expect(machine.stderr).not.toMatch(/ at .*\.(?:ts|mjs):\d+|internal error/);
      });
    });
  }
}

/** A VMX mnemonic is a symbol of its instruction; the function around it is what a backtrace names. */
function functionOf(row: Row): string {
  return { vmlaunch: 'vt__vm_run_first', vmxon: 'vmxon' }[row.symbol] ?? row.symbol;
}

function field(stop: Stop, name: string): bigint | undefined {
  const value = new RegExp(`^ +${name} +(0x[0-9a-f]+)`, 'm').exec(stop.text)?.[1];
  return value === undefined ? undefined : BigInt(value);
}

describe('the table itself', () => {
  it('names functions that the guest’s sources define', () => {
    for (const row of [...rows, apRow]) {
      const source = readFileSync(`${root}guest/src/${row.file}`, 'utf8');
      expect(source, row.symbol).toMatch(new RegExp(`\\b${row.symbol}\\b`));
    }
  });
});
