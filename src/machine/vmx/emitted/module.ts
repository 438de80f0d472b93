import type { LinearMemory } from '../../memory/linear-memory.ts';
import { buildModule } from '../../cpu/wasm/module.ts';
import { loadGuestArea, saveGuestArea } from './guest-area.ts';
import { loadHostArea } from './host-area.ts';
import { sameFields } from './same-fields.ts';

/** What VM entries and exits do with whole areas of the VMCS, emitted from the tables of fields. CPU blocks and VMCSs are addresses in linear memory. */
export interface VmcsCode {
  loadGuest(cpu: number, vmcs: number): void;
  saveGuest(cpu: number, vmcs: number): void;
  loadHost(cpu: number, vmcs: number): void;
  same(vmcs: number, copy: number): number;
}

let compiled: WebAssembly.Module | undefined;

export function instantiateVmcsCode(linear: LinearMemory): VmcsCode {
  compiled ??= new WebAssembly.Module(
    buildModule([], { loadGuest: loadGuestArea().f, saveGuest: saveGuestArea().f, loadHost: loadHostArea().f, same: sameFields() }),
  );
  return new WebAssembly.Instance(compiled, { env: { memory: linear.memory } }).exports as unknown as VmcsCode;
}
