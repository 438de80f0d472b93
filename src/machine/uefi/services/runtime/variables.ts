import { guid, inOut64, optionalOut32, pointer, text, u32, uintn, buffer, out64 } from '../../call/arguments.ts';
import { service } from '../../call/service.ts';
import { VariableAttribute as A } from '../../constants.ts';
import { guidBytes, guidText, Guids, type Guid } from '../../guids.ts';
import { utf16Bytes } from '../../pack.ts';
import { Status, invalid } from '../../status.ts';
import type { FirmwareState, Variable } from '../../state.ts';

/** Variable services: UEFI 2.10, 8.2. Non-volatile variables live as long as the machine, through its resets. */

const STORAGE = 0x1_0000;
const MAX_VARIABLE = 0x8000;

/** What is there at power-on: UEFI 2.10, 3.3. */
export function defaultVariables(): Variable[] {
  const ro = A.bootService | A.runtime;
  const variable = (name: string, attributes: number, data: readonly number[]): Variable => ({
    name,
    guid: Guids.globalVariable,
    attributes,
    data: [...data],
  });
  const english = [0x65, 0x6e, 0]; // "en"
  return [
    variable('PlatformLangCodes', ro, english),
    variable('PlatformLang', ro | A.nonVolatile, english),
    variable('SetupMode', ro, [1]),
    variable('SecureBoot', ro, [0]),
    variable('Timeout', ro | A.nonVolatile, [0, 0]),
    variable('OsIndicationsSupported', ro, [0, 0, 0, 0, 0, 0, 0, 0]),
  ];
}

/** Read-only to callers: UEFI 2.10, table 3-1. */
const readOnly = ['PlatformLangCodes', 'SetupMode', 'SecureBoot', 'OsIndicationsSupported'];

/** After ExitBootServices only runtime variables are there. */
const visible = (state: FirmwareState, v: Variable): boolean => !state.exited || (v.attributes & A.runtime) !== 0;
const find = (state: FirmwareState, name: string, vendor: Guid): Variable | undefined =>
  state.variables.find((v) => v.name === name && v.guid === vendor && visible(state, v));

const sizeOf = (v: Variable): number => v.name.length * 2 + 2 + v.data.length;
const used = (state: FirmwareState): number => state.variables.reduce((n, v) => n + sizeOf(v), 0);

export const GetVariable = service(
  'GetVariable',
  [text('VariableName'), guid('VendorGuid'), optionalOut32('Attributes'), inOut64('DataSize'), pointer('Data')],
  (call, name, vendor, attributes, size, data) => {
    const found = find(call.fw.state, name, vendor);
    if (!found) return Status.NOT_FOUND;
    const room = size.value;
    size.set(found.data.length);
    attributes.set(found.attributes);
    if (room < found.data.length) return Status.BUFFER_TOO_SMALL;
    if (data === 0n) throw invalid();
    call.write(data, Uint8Array.from(found.data));
    return Status.SUCCESS;
  },
);

export const GetNextVariableName = service(
  'GetNextVariableName',
  [inOut64('VariableNameSize'), buffer('VariableName'), buffer('VendorGuid')],
  (call, size, nameAt, guidAt) => {
    const { state } = call.fw;
    const name = call.text(nameAt, Math.min(size.value / 2, 0x1_0000));
    const vendor = guidText(call.read(guidAt, 16));
    const all = state.variables.filter((v) => visible(state, v));
    const n = all.findIndex((v) => v.name === name && v.guid === vendor);
    if (name !== '' && n < 0) throw invalid('the previous name is unknown');
    const next = name === '' ? all[0] : all[n + 1];
    if (!next) return Status.NOT_FOUND;
    const bytes = utf16Bytes(next.name);
    const room = size.value;
    size.set(bytes.length);
    if (room < bytes.length) return Status.BUFFER_TOO_SMALL;
    call.write(nameAt, bytes);
    call.write(guidAt, guidBytes(next.guid));
    return Status.SUCCESS;
  },
);

export const SetVariable = service(
  'SetVariable',
  [text('VariableName'), guid('VendorGuid'), u32('Attributes'), uintn('DataSize'), pointer('Data')],
  (call, name, vendor, attributes, size, data) => {
    const { state } = call.fw;
    if (name === '' || (size > 0 && data === 0n)) throw invalid();
    if ((attributes & ~0x7f) !== 0 || ((attributes & A.runtime) !== 0 && (attributes & A.bootService) === 0)) throw invalid('attributes');
    if ((attributes & (A.authenticated | A.timeAuthenticated | A.hardwareError)) !== 0) return Status.UNSUPPORTED;
    if (vendor === Guids.globalVariable && readOnly.includes(name)) return Status.WRITE_PROTECTED;
    const append = (attributes & A.append) !== 0;
    const kind = attributes & ~A.append;
    const old = find(state, name, vendor);
    if (state.exited && (kind & (A.runtime | A.nonVolatile)) !== (A.runtime | A.nonVolatile) && kind !== 0) throw invalid();
    if (append && size === 0) return old ? Status.SUCCESS : Status.NOT_FOUND;
    if (size === 0 || (kind & (A.bootService | A.runtime)) === 0) {
      if (!old) return Status.NOT_FOUND;
      state.variables = state.variables.filter((v) => v !== old);
      return Status.SUCCESS;
    }
    if (old && old.attributes !== kind) throw invalid('other attributes than the existing variable');
    if (size > MAX_VARIABLE) return Status.OUT_OF_RESOURCES;
    const bytes = [...call.read(data, size)];
    const next: Variable = { name, guid: vendor, attributes: kind, data: append && old ? [...old.data, ...bytes] : bytes };
    if (used(state) - (old ? sizeOf(old) : 0) + sizeOf(next) > STORAGE) return Status.OUT_OF_RESOURCES;
    if (old) old.data = next.data;
    else state.variables.push(next);
    return Status.SUCCESS;
  },
);

export const QueryVariableInfo = service(
  'QueryVariableInfo',
  [u32('Attributes'), out64('MaximumVariableStorageSize'), out64('RemainingVariableStorageSize'), out64('MaximumVariableSize')],
  ({ fw }, attributes, maximum, remaining, largest) => {
    if (attributes === 0 || (attributes & (A.bootService | A.runtime)) === 0) throw invalid();
    if ((attributes & ~(A.nonVolatile | A.bootService | A.runtime)) !== 0) return Status.UNSUPPORTED;
    maximum.set(STORAGE);
    remaining.set(STORAGE - used(fw.state));
    largest.set(MAX_VARIABLE);
    return Status.SUCCESS;
  },
);
