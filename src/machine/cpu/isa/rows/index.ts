import type { Row } from '../row.ts';
import { integerRows } from './integer.ts';
import { sseRows } from './sse.ts';
import { systemRows } from './system.ts';

/** The whole instruction set. Rows with a mandatory prefix are tried before those without. */
export const rows: readonly Row[] = [...systemRows, ...integerRows, ...sseRows];
