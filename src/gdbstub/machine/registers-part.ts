import type { Cpu } from '../../machine/cpu/cpu.ts';
import { byteSize, registerNumber, registersOf, type RegisterRow } from '../features/registers.ts';
import { targetXml } from '../features/target-xml.ts';
import { refused, type Refusal, type RegistersPart } from '../target.ts';
import { setLinearPc } from './mode.ts';
import { accessors, type Accessor } from './registers.ts';

interface Register {
  readonly name: string;
  readonly bytes: number;
  readonly at: number;
  readonly accessor: Accessor;
}

/** Where each register lies in the `g` reply. */
function tableOf(rows: readonly RegisterRow[]): readonly Register[] {
  let next = 0;
  return rows.map((row) => {
    const accessor = accessors[row.name];
    if (!accessor) throw new Error(`register ${row.name} of the target description has no accessor`);
    const at = next;
    next += byteSize(row);
    return { name: row.name, bytes: byteSize(row), at, accessor };
  });
}

function put(out: DataView, at: number, bytes: number, value: bigint): void {
  if (bytes === 4) return out.setUint32(at, Number(value & 0xffff_ffffn), true);
  out.setBigUint64(at, BigInt.asUintN(64, value), true);
  if (bytes === 10) out.setUint16(at + 8, Number(value >> 64n), true);
  else if (bytes === 16) out.setBigUint64(at + 8, value >> 64n, true);
}

function take(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

function writeOne(cpu: Cpu, register: Register, bytes: Uint8Array): true | Refusal {
  if (bytes.length !== register.bytes) return refused(`${register.name} has ${register.bytes} bytes, not ${bytes.length}`);
  const value = take(bytes);
  if (register.accessor.write) return register.accessor.write(cpu, value);
  return value === register.accessor.read(cpu) ? true : refused(`${register.name} is read-only`);
}

/** The registers of a machine's CPUs, by the table that makes the target description. */
export function registersPart(cpuOf: (thread: number) => Cpu): RegistersPart {
  // All CPUs are of one model.
  const rows = registersOf(cpuOf(1).model.features.has('avx'));
  const table = tableOf(rows);
  const size = rows.reduce((sum, r) => sum + byteSize(r), 0);
  const description = targetXml(rows);
  return {
    description: () => description,
    expedited: ['rip', 'rsp', 'rbp'].map(registerNumber),
    readAll(thread) {
      const cpu = cpuOf(thread);
      const out = new Uint8Array(size);
      const view = new DataView(out.buffer);
      for (const r of table) put(view, r.at, r.bytes, r.accessor.read(cpu));
      return out;
    },
    writeAll(thread, bytes) {
      if (bytes.length !== size) return refused(`all registers are ${size} bytes, not ${bytes.length}`);
      const cpu = cpuOf(thread);
      const before = this.readAll(thread);
      for (const r of table) {
        const value = bytes.subarray(r.at, r.at + r.bytes);
        // Only what the client changed: writing a register back may have effects (control registers flush TLBs).
        if (value.every((b, i) => b === before[r.at + i])) continue;
        const result = writeOne(cpu, r, value);
        if (result !== true) return result;
      }
      return true;
    },
    read(thread, n) {
      const r = table[n];
      if (!r) return undefined;
      const out = new Uint8Array(r.bytes);
      put(new DataView(out.buffer), 0, r.bytes, r.accessor.read(cpuOf(thread)));
      return out;
    },
    write(thread, n, bytes) {
      const r = table[n];
      return r ? writeOne(cpuOf(thread), r, bytes) : refused(`no register ${n}`);
    },
    setPc: (thread, address) => setLinearPc(cpuOf(thread), address),
  };
}
