import { gdbTables } from '../../src/gdbstub/docs.ts';
import type { Blocks } from './blocks.ts';

export const gdbBlocks: Blocks = { tables: gdbTables };
