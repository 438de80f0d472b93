/**
 * A tree of files outside the machine, given as the EFI system partition. Paths are relative, names joined with '/', ''
 * is the root. The methods that write are absent from a read-only directory.
 */
export interface HostDirectory {
  list(path: string): readonly HostEntry[];
  stat(path: string): HostEntry | undefined;
  /** Up to `length` bytes; fewer at the end of the file. */
  read(path: string, offset: number, length: number): Uint8Array;
  readonly label?: string;
  readonly writer?: HostWriter;
}

export interface HostEntry {
  readonly name: string;
  readonly directory: boolean;
  readonly size: number;
  /** Last change, ms since 1970; the machine's start date when absent. */
  readonly modified?: number;
}

/** Each throws when the host refuses; the guest then sees EFI_DEVICE_ERROR. */
export interface HostWriter {
  create(path: string, directory: boolean): void;
  write(path: string, offset: number, bytes: Uint8Array): void;
  truncate(path: string, size: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
}

/** A directory of files in memory: names with '/' between parts. For tests and for browsers. */
export function memoryDirectory(files: Readonly<Record<string, Uint8Array | string>>, writable = false): HostDirectory {
  const contents = new Map<string, Uint8Array | null>([['', null]]); // null: a directory
  const put = (path: string, data: Uint8Array | null): void => {
    const parts = path.split('/');
    for (let n = 1; n < parts.length; n++) contents.set(parts.slice(0, n).join('/'), null);
    contents.set(path, data);
  };
  for (const [path, data] of Object.entries(files)) put(path, typeof data === 'string' ? new TextEncoder().encode(data) : data);
  const stat = (path: string): HostEntry | undefined => {
    const data = contents.get(path);
    return data === undefined ? undefined : { name: path.slice(path.lastIndexOf('/') + 1), directory: data === null, size: data?.length ?? 0 };
  };
  const parent = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
  const resize = (path: string, size: number): Uint8Array => {
    const old = contents.get(path) ?? new Uint8Array(0);
    const next = new Uint8Array(size);
    next.set(old.subarray(0, size));
    contents.set(path, next);
    return next;
  };
  const writer: HostWriter = {
    create: (path, directory) => put(path, directory ? null : new Uint8Array(0)),
    write: (path, offset, bytes) => resize(path, Math.max(contents.get(path)?.length ?? 0, offset + bytes.length)).set(bytes, offset),
    truncate: (path, size) => void resize(path, size),
    rename(from, to) {
      for (const [path, data] of [...contents]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        contents.delete(path);
        contents.set(to + path.slice(from.length), data);
      }
    },
    remove: (path) => void contents.delete(path),
  };
  return {
    list: (path) => [...contents.keys()].filter((p) => p !== '' && parent(p) === path).map((p) => stat(p)!),
    stat,
    read: (path, offset, length) => (contents.get(path) ?? new Uint8Array(0)).slice(offset, offset + length),
    ...(writable && { writer }),
  };
}
