/** The nearest of some words to a mistyped one, undefined when none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const scored = words.map((w) => [w, distance(word, w)] as const).sort((a, b) => a[1] - b[1]);
  const best = scored[0];
  if (best && best[1] <= Math.max(1, Math.floor(word.length / 3))) return best[0];
  return word.length > 1 ? words.filter((w) => abbreviates(word, w)).sort((a, b) => a.length - b.length)[0] : undefined;
}

export function didYouMean(word: string, words: readonly string[]): string {
  const found = nearest(word, words);
  return found === undefined ? '.' : `, did you mean "${found}"?`;
}

/** `regs` of `registers`: the same first letter, and the others in their order. */
function abbreviates(short: string, long: string): boolean {
  if (short[0] !== long[0]) return false;
  let at = 0;
  for (const letter of long) if (letter === short[at]) at++;
  return at === short.length;
}

/** Edits (insert, delete, replace, swap of neighbours) between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  let before = row;
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const same = a[i - 1] === b[j - 1];
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1), swapped ? before[j - 2]! + 1 : Infinity));
    }
    before = above;
  }
  return row[b.length]!;
}
