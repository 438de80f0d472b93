import type { Case } from './case.ts';
import { DATA_SIZE, SEEDS } from './case.ts';

/** The memory contents of a seed, as harness.c makes them. */
export function fill(words: Uint32Array, seed: number): void {
  let x = seed;
  for (let n = 0; n < words.length; n++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    words[n] = x ^ (x >>> 15);
  }
}

/** Contents of the data pages and of GS's page by seed: they come round again and again. */
export const seeded = Array.from({ length: SEEDS }, (_, seed) => {
  const data = new Uint8Array(DATA_SIZE);
  const gs = new Uint8Array(4096);
  fill(new Uint32Array(data.buffer), seed);
  fill(new Uint32Array(gs.buffer), seed + 1);
  return { data, gs };
});

/** Writes the data pages as they are before the case into `to`. */
export function initialData(c: Case, to: Uint8Array): void {
  to.set(seeded[Number(c.seed)]!.data);
  if (c.patch) to.set(c.patch.bytes, c.patch.at);
}
