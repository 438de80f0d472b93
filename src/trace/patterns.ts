/** `--only`: names of functions or images, with `*` and `?` as in a shell; case counts. Without any nothing is asked for. */
export function nameFilter(patterns: readonly string[]): (name: string, image: string | undefined) => boolean {
  if (patterns.length === 0) return () => false;
  const tests = patterns.map(
    (p) =>
      new RegExp(
        `^${p
          .replace(/[.+^${}()|[\]\\]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
      ),
  );
  return (name, image) => tests.some((t) => t.test(name) || (image !== undefined && t.test(image)));
}
