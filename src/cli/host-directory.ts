import { closeSync, openSync, readSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { HostDirectory, HostEntry } from '../machine/uefi/files/host-directory.ts';
import { UserError } from './errors.ts';

/** A directory of the host as the EFI system partition, read-only. Nothing outside it is reachable, links included. */
export function hostDirectory(root: string): HostDirectory {
  const base = realDirectory(root);
  const inside = (path: string): string | undefined => {
    try {
      const real = realpathSync(join(base, path));
      return real === base || real.startsWith(base + sep) ? real : undefined;
    } catch {
      return undefined;
    }
  };
  const entry = (path: string): HostEntry | undefined => {
    const real = inside(path);
    if (real === undefined) return undefined;
    const s = statSync(real);
    if (!s.isFile() && !s.isDirectory()) return undefined;
    return { name: path.split('/').pop() ?? '', directory: s.isDirectory(), size: s.isDirectory() ? 0 : s.size, modified: Math.floor(s.mtimeMs) };
  };
  return {
    label: 'ESP',
    stat: entry,
    list(path) {
      const real = inside(path);
      if (real === undefined) return [];
      return readdirSync(real)
        .sort()
        .flatMap((name) => entry(path === '' ? name : `${path}/${name}`) ?? []);
    },
    read(path, offset, length) {
      const real = inside(path);
      if (real === undefined) throw new Error(`${path}: not in the directory`);
      const file = openSync(real, 'r');
      try {
        const bytes = new Uint8Array(Math.min(length, Math.max(0, statSync(real).size - offset)));
        return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset));
      } finally {
        closeSync(file);
      }
    },
  };
}

function realDirectory(root: string): string {
  try {
    const real = realpathSync(root);
    if (statSync(real).isDirectory()) return real;
  } catch {
    throw new UserError(`--esp ${root}: there is no such directory`);
  }
  throw new UserError(`--esp ${root}: not a directory; give the folder that holds the EFI files`);
}
