/** Compilers record Unix paths, and Windows ones when they ran there. */
function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);
}

/** File in a directory in the compilation directory, each only as far as the next is relative; "." and ".." are resolved. */
export function joinPath(compilationDirectory: string, directory: string, file: string): string {
  let path = file;
  for (const prefix of [directory, compilationDirectory]) if (!isAbsolute(path) && prefix !== '') path = `${prefix}/${path}`;
  return normalize(path);
}

function normalize(path: string): string {
  if (!/(^|\/)\.{0,2}(\/|$)/.test(path)) return path;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    const last = parts[parts.length - 1];
    if (part === '..' && last !== undefined && last !== '..') parts.pop();
    else if (part !== '.' && part !== '' && !(part === '..' && path.startsWith('/'))) parts.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

export function relativeTo(directory: string, path: string): string {
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  return directory !== '' && path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** Whether `path` is `wanted` or ends with it at a directory boundary, as gdb matches FILE:LINE. */
export function pathMatches(path: string, wanted: string): boolean {
  return path === wanted || (path.endsWith(wanted) && (wanted.startsWith('/') || path.charAt(path.length - wanted.length - 1) === '/'));
}
