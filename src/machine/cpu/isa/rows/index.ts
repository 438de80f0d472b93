import type { Row } from '../row.ts';
import { avxRows, vectorHelperRows } from './avx.ts';
import { bitManipulationRows } from './bit-manipulation.ts';
import { floatRows } from './float.ts';
import { f16cRows, fmaRows } from './fma.ts';
import { integerRows } from './integer.ts';
import { mmxRows } from './mmx.ts';
import { cryptoRows, sseIntegerRows } from './sse-integer.ts';
import { sseRows } from './sse.ts';
import { systemRows } from './system.ts';
import { x87Rows } from './x87.ts';

/** The whole instruction set. Rows with a mandatory prefix are tried before those without. */
export const rows: readonly Row[] = [
  ...systemRows,
  ...integerRows,
  ...bitManipulationRows,
  ...x87Rows,
  ...mmxRows,
  ...sseRows,
  ...sseIntegerRows,
  ...cryptoRows,
  ...avxRows,
  ...vectorHelperRows,
  ...floatRows,
  ...fmaRows,
  ...f16cRows,
];
