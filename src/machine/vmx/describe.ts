import { VmxMode, type Cpu } from '../cpu/cpu.ts';
import type { CpuModel } from '../cpu/models/model.ts';
import type { PhysAddr } from '../memory/address.ts';
import type { ControlWord } from './controls.ts';
import { EptResult, eptWalk, walkEpt } from './ept.ts';
import { failureText, lastFailure } from './failure.ts';
import { vmxFeatures } from './features.ts';
import { F, fieldExists, fields, REVISION_ID, type FieldClass, type VmcsField } from './fields.ts';
import { infoText } from './interruption.ts';
import { ENTRY_FAILURE, exitReasonName, vmErrorName } from './reasons.ts';
import { currentVmcsPointer, vmxCounts, vmxonPointer } from './state.ts';
import { LaunchState, Vmcs } from './vmcs.ts';

/** Text about VMX state for people: `monitor info vmcs`, `monitor vmx last-failure`, `monitor info ept`. Changes nothing. */

const classTitles: readonly (readonly [FieldClass, string])[] = [
  ['control', 'Control fields'],
  ['guest', 'Guest-state area'],
  ['host', 'Host-state area'],
  ['exit', 'VM-exit information'],
];

/** The names of the bits set in a control word; bits of the default1 class without a name are left out. */
export function controlNames(word: ControlWord, value: number): string[] {
  return vmxFeatures.flatMap(({ control, title }) => (control?.word === word && (value & control.mask) !== 0 ? [title] : []));
}

/** SDM Vol. 3, table 25-2. */
function accessRightsText(v: number): string {
  if ((v & 0x1_0000) !== 0) return 'unusable';
  const flags = [(v & 0x80) !== 0 ? 'P' : '', (v & 0x2000) !== 0 ? 'L' : '', (v & 0x4000) !== 0 ? 'D/B' : '', (v & 0x8000) !== 0 ? 'G' : ''].filter(
    Boolean,
  );
  return `type ${v & 15}, ${(v & 0x10) !== 0 ? 'code/data' : 'system'}, DPL ${(v >> 5) & 3}, ${flags.join(' ')}`;
}

const activityNames = ['active', 'HLT', 'shutdown', 'wait-for-SIPI'];

function bitNames(v: number, names: Readonly<Record<number, string>>): string {
  return Object.entries(names)
    .filter(([bit]) => ((v >>> Number(bit)) & 1) === 1)
    .map(([, name]) => name)
    .join(', ');
}

const CR0_NAMES = { 0: 'PE', 1: 'MP', 2: 'EM', 3: 'TS', 4: 'ET', 5: 'NE', 16: 'WP', 18: 'AM', 29: 'NW', 30: 'CD', 31: 'PG' };
const CR4_NAMES = {
  0: 'VME', 1: 'PVI', 2: 'TSD', 3: 'DE', 4: 'PSE', 5: 'PAE', 6: 'MCE', 7: 'PGE', 8: 'PCE', 9: 'OSFXSR', 10: 'OSXMMEXCPT', 11: 'UMIP', 13: 'VMXE', 14: 'SMXE',
  16: 'FSGSBASE', 17: 'PCIDE', 18: 'OSXSAVE', 20: 'SMEP', 21: 'SMAP', 22: 'PKE',
}; // prettier-ignore
const BLOCKING_NAMES = { 0: 'STI', 1: 'MOV SS', 2: 'SMI', 3: 'NMI' };

const low32 = (v: bigint): number => Number(v & 0xffff_ffffn);
const decoders = new Map<VmcsField, (v: bigint) => string>([
  [F.pinControls, (v) => controlNames('pin', low32(v)).join(', ')],
  [F.primaryControls, (v) => controlNames('primary', low32(v)).join(', ')],
  [F.secondaryControls, (v) => controlNames('secondary', low32(v)).join(', ')],
  [F.exitControls, (v) => controlNames('exit', low32(v)).join(', ')],
  [F.entryControls, (v) => controlNames('entry', low32(v)).join(', ')],
  [F.exitReason, (v) => `${exitReasonName(low32(v))}${low32(v) >= ENTRY_FAILURE ? ', VM-entry failure' : ''}`],
  [F.instructionError, (v) => (v === 0n ? '' : vmErrorName(low32(v)))],
  [F.entryInterruptionInfo, (v) => infoText(low32(v))],
  [F.exitInterruptionInfo, (v) => infoText(low32(v))],
  [F.idtVectoringInfo, (v) => infoText(low32(v))],
  [F.guestActivity, (v) => activityNames[low32(v)] ?? 'not an activity state'],
  [F.guestInterruptibility, (v) => bitNames(low32(v), BLOCKING_NAMES)],
  ...[F.guestCr0, F.hostCr0, F.cr0Mask, F.cr0Shadow].map((f) => [f, (v: bigint) => bitNames(low32(v), CR0_NAMES)] as const),
  ...[F.guestCr4, F.hostCr4, F.cr4Mask, F.cr4Shadow].map((f) => [f, (v: bigint) => bitNames(low32(v), CR4_NAMES)] as const),
  ...fields.filter((f) => f.name.endsWith('AccessRights')).map((f) => [f, (v: bigint) => accessRightsText(low32(v))] as const),
]);

const digits = (f: VmcsField): number => (f.width === 16 ? 4 : f.width === 32 ? 8 : 16);

/** One field in words: `Guest CR0 = 0x... [PE PG]`. */
export function fieldText(f: VmcsField, value: bigint): string {
  const decoded = decoders.get(f)?.(value);
  return `${f.title.padEnd(44)} 0x${value.toString(16).padStart(digits(f), '0')}${decoded ? `  ${decoded}` : ''}`;
}

/** A field's value in a copy of a VMCS region. */
function valueIn(region: Uint8Array, f: VmcsField): bigint {
  const view = new DataView(region.buffer, region.byteOffset, region.byteLength);
  return f.width === 16
    ? BigInt(view.getUint16(f.offset, true))
    : f.width === 32
      ? BigInt(view.getUint32(f.offset, true))
      : view.getBigUint64(f.offset, true);
}

/** A VMCS by field class. `only`: a part of it. `before`: the region at the last VM entry; fields that changed since are marked. */
export function describeVmcs(model: CpuModel, vmcs: Vmcs, only?: FieldClass, before?: Uint8Array): string {
  const state = vmcs.launchState === LaunchState.launched ? 'launched' : 'clear';
  const revision =
    vmcs.revision === REVISION_ID ? '' : ` (revision identifier 0x${vmcs.revision.toString(16)}, expected 0x${REVISION_ID.toString(16)})`;
  const abort = vmcs.abort === 0 ? '' : `, VMX abort ${vmcs.abort}`;
  const lines = [`VMCS at 0x${vmcs.address.toString(16)}, launch state ${state}${abort}${revision}`];
  for (const [cls, title] of classTitles) {
    if (only !== undefined && cls !== only) continue;
    lines.push('', `${title}:`);
    for (const f of fields) {
      if (f.class !== cls || !fieldExists(model, f)) continue;
      const value = vmcs.read(f);
      const old = before && valueIn(before, f);
      const changed = old !== undefined && old !== value;
      lines.push(`${changed ? '*' : ' '} ${fieldText(f, value)}${changed ? `  (at VM entry 0x${old.toString(16)})` : ''}`);
    }
  }
  if (before) lines.push('', '* changed since the last VM entry');
  return lines.join('\n');
}

/** The VMCS of a CPU, or the one at an address. */
export function describeVmcsOf(
  cpu: Cpu,
  address: PhysAddr | undefined = currentVmcsPointer(cpu),
  only?: FieldClass,
  atEntry: (address: PhysAddr) => Uint8Array | undefined = () => undefined,
): string {
  if (address === undefined) return cpu.vmxMode === VmxMode.off ? `cpu${cpu.index} is not in VMX operation` : `cpu${cpu.index} has no current VMCS`;
  if (address % 4096 !== 0 || !cpu.machine.memory.isRam(address))
    return `there is no VMCS at 0x${address.toString(16)}: not the address of a page of RAM`;
  return describeVmcs(cpu.model, new Vmcs(cpu.machine.memory, address), only, atEntry(address));
}

/** One CPU's VMX state in a few lines. */
export function describeVmx(cpu: Cpu): string {
  if (cpu.vmxMode === VmxMode.off) return `cpu${cpu.index}: not in VMX operation`;
  const pointer = currentVmcsPointer(cpu);
  const { entries, exits } = vmxCounts(cpu);
  const mode = cpu.vmxMode === VmxMode.root ? 'root' : 'non-root';
  const current = pointer === undefined ? 'none' : `0x${pointer.toString(16)}`;
  return `cpu${cpu.index}: VMX ${mode} operation, VMXON pointer 0x${vmxonPointer(cpu).toString(16)}, current VMCS ${current}, ${entries} VM entries, ${exits} VM exits`;
}

/** `monitor vmx last-failure`. */
export function describeLastFailure(cpu: Cpu): string {
  const failure = lastFailure(cpu);
  return failure ? failureText(failure) : `cpu${cpu.index}: no VMX instruction or VM entry has failed`;
}

const MEMORY_TYPES: Readonly<Record<number, string>> = { 0: 'UC', 1: 'WC', 4: 'WT', 5: 'WP', 6: 'WB' };

/** With mode-based execute control `x` is execution from supervisor-mode and `u` from user-mode linear addresses. */
function rights(v: number, modeBased: boolean): string {
  const user = modeBased ? ((v & 0x400) !== 0 ? 'u' : '-') : '';
  return `${(v & 1) !== 0 ? 'r' : '-'}${(v & 2) !== 0 ? 'w' : '-'}${(v & 4) !== 0 ? 'x' : '-'}${user}`;
}

/** Rights and flags of an EPT entry: SDM Vol. 3, tables 29-1 to 29-6. */
function entryText(low: number, high: number, isLeaf: boolean, modeBased: boolean): string {
  const type = (low >> 3) & 7;
  const words = [
    rights(low, modeBased),
    isLeaf ? (MEMORY_TYPES[type] ?? `memory type ${type}`) : '',
    isLeaf && (low & 0x40) !== 0 ? 'ignore-PAT' : '',
    (low & 0x100) !== 0 ? 'accessed' : '',
    isLeaf && (low & 0x200) !== 0 ? 'dirty' : '',
    high >>> 31 === 1 ? 'suppress-#VE' : '',
  ];
  return words.filter((w) => w !== '').join(' ');
}

/** The EPT walk for a guest-physical address, entry by entry: `monitor info ept`. */
export function describeEpt(cpu: Cpu, eptp: bigint, guestPhysical: PhysAddr, modeBased = false): string {
  walkEpt(cpu, Number(eptp & 0xffff_ffffn), Number(eptp >> 32n), guestPhysical, modeBased);
  const { result, physical, permissions, pageBits, depth, address, low, high, why } = eptWalk;
  const lines = [`guest-physical 0x${guestPhysical.toString(16)}, EPTP 0x${eptp.toString(16)}`];
  for (let n = 0; n < depth; n++) {
    const entry = `0x${((BigInt(high[n]!) << 32n) | BigInt(low[n]!)).toString(16).padStart(16, '0')}`;
    lines.push(
      `  level ${4 - n} at 0x${address[n]!.toString(16)}: ${entry} ${entryText(low[n]!, high[n]!, n === depth - 1 && pageBits > 0, modeBased)}`,
    );
  }
  if (result === EptResult.mapped)
    lines.push(`  physical 0x${physical.toString(16)}, ${rights(permissions, modeBased)}, page of ${2 ** (pageBits - 10)} KiB`);
  else if (result === EptResult.violation) lines.push('  not mapped: an access is an EPT violation');
  else lines.push(`  misconfigured: ${why}`);
  return lines.join('\n');
}
