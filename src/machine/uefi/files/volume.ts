import type { FirmwareContext } from '../context.ts';
import { Refusal, Status } from '../status.ts';
import type { HostDirectory, HostEntry } from './host-directory.ts';

/** Names on the file system: `\` between parts, `.` and `..`, no case: UEFI 2.10, 13.5.2 and 13.3.1 (FAT). */

export const MAX_NAME = 255;

/** Resolves a guest's name against a directory to parts; undefined when it climbs above the root. */
export function splitName(from: string, name: string): string[] | undefined {
  const absolute = /^[\\/]/.test(name);
  const parts = absolute || from === '' ? [] : from.split('/');
  for (const part of name.split(/[\\/]/)) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.length === 0) return undefined;
      parts.pop();
    } else parts.push(part);
  }
  return parts;
}

export interface Found {
  /** The host's spelling, '/' between parts. */
  readonly path: string;
  readonly entry: HostEntry;
}

const ROOT: HostEntry = { name: '', directory: true, size: 0 };

/** Finds a file whatever its case; the host's exact name wins when several differ only in case. */
export function findFile(directory: HostDirectory, parts: readonly string[]): Found | undefined {
  let path = '';
  let entry = ROOT;
  for (const part of parts) {
    if (!entry.directory) return undefined;
    const entries = directory.list(path);
    const next = entries.find((e) => e.name === part) ?? entries.find((e) => e.name.toLowerCase() === part.toLowerCase());
    if (!next) return undefined;
    path = path === '' ? next.name : `${path}/${next.name}`;
    entry = next;
  }
  return { path, entry };
}

/** Runs an access to the host's files; whatever goes wrong there is EFI_DEVICE_ERROR, said once to the user. */
export function onHost<T>(fw: FirmwareContext, what: string, access: () => T): T {
  try {
    return access();
  } catch (e) {
    if (e instanceof Refusal) throw e;
    fw.machine.log(`${what}: ${e instanceof Error ? e.message : String(e)}`);
    throw new Refusal(Status.DEVICE_ERROR);
  }
}

/** A whole file by a firmware path like `\EFI\BOOT\BOOTX64.EFI`; undefined when there is none. */
export function readWholeFile(fw: FirmwareContext, name: string, from = ''): { bytes: Uint8Array; path: string } | undefined {
  const { directory } = fw.options;
  const parts = splitName(from, name);
  if (!directory || !parts) return undefined;
  return onHost(fw, name, () => {
    const found = findFile(directory, parts);
    if (!found || found.entry.directory) return undefined;
    return { bytes: directory.read(found.path, 0, found.entry.size), path: found.path };
  });
}

export const toFirmwarePath = (path: string): string => `\\${path.replaceAll('/', '\\')}`;
