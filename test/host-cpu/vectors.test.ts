import { compareWithHost } from './suite.ts';
import { isVector } from './tested-rows.ts';

compareWithHost(
  isVector,
  [
    { mode: '64', codes: 14, states: 16, atEdges: 1 },
    { mode: '32', codes: 2, states: 10, atEdges: 1 },
    { mode: '16', codes: 1, states: 10, atEdges: 1 },
  ],
  20_260_622n,
  300_000,
);
