import { memoryTypeNames } from './constants.ts';
import type { FirmwareContext } from './context.ts';
import { guidName } from './guids.ts';
import { regionEnd } from './memory/map.ts';

const hex = (n: number): string => `0x${n.toString(16)}`;

/** `monitor info efi`. */
export function describeFirmware(fw: FirmwareContext): string {
  const { state } = fw;
  const places = state.exited ? ['boot services have ended (ExitBootServices)'] : [];
  const images = state.images.map(
    (i) => `  ${i.name} at ${hex(i.base)}-${hex(i.base + i.size)}, entry ${hex(i.entry)}, handle ${hex(i.handle)}${i.started ? ', started' : ''}`,
  );
  const handles = state.handles.map((h) => `  ${hex(h.handle)} ${h.protocols.map((p) => `${guidName(p.guid)}=${p.interface}`).join(' ')}`);
  const map = state.map.regions.map(
    (r) => `  ${hex(r.base)}-${hex(regionEnd(r) - 1)} ${memoryTypeNames[r.type] ?? hex(r.type)}${r.allocated ? '' : r.type === 7 ? '' : ' (fixed)'}`,
  );
  const tables = state.configuration.map((c) => `  ${guidName(c.guid)} ${hex(c.table)}`);
  return [
    `system table ${hex(fw.layout.runtimeData.base)}, TPL ${state.tpl}, ${state.frames.length} calls into guest code, map key ${state.map.key}`,
    ...places,
    'images:',
    ...images,
    'configuration tables:',
    ...tables,
    'handles:',
    ...handles,
    'memory map:',
    ...map,
  ].join('\n');
}
