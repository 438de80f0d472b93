import { compareWithHost } from './suite.ts';
import { isVector } from './tested-rows.ts';

compareWithHost(
  (row) => !isVector(row),
  [
    { mode: '64', codes: 36, states: 12, atEdges: 4 },
    { mode: '32', codes: 8, states: 10, atEdges: 3 },
    { mode: '32 based', codes: 4, states: 8, atEdges: 2 },
    { mode: '32 small stack', codes: 2, states: 6, atEdges: 2 },
    { mode: '16', codes: 8, states: 10, atEdges: 3 },
    { mode: '16 big stack', codes: 2, states: 6, atEdges: 2 },
  ],
  20_260_522n,
  200_000,
);
