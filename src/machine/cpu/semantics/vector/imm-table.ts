import { VECTOR_TABLES, VECTOR_TABLES_SIZE } from '../../../memory/layout.ts';
import type { LinearMemory } from '../../../memory/linear-memory.ts';
import type { Emitter } from '../../tiers/emitter.ts';
import type { Value } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { v128Const } from './simd.ts';

/** 16 bytes for each immediate byte: selectors of a shuffle, the mask of a blend. */
export interface ImmTable {
  readonly bytes: (imm: number) => readonly number[];
  readonly address: number;
}

const tables: ImmTable[] = [];

/** Where the immediate is not a constant its vector comes from a table in linear memory. */
export function immTable(bytes: ImmTable['bytes']): ImmTable {
  const table = { bytes, address: VECTOR_TABLES + tables.length * 4096 };
  if (table.address + 4096 > VECTOR_TABLES + VECTOR_TABLES_SIZE) throw new Error('layout: no room for another table of immediates');
  tables.push(table);
  return table;
}

/** The vector of the instruction's immediate. */
export const byImmediate = (m: Emitter, table: ImmTable): Value =>
  m.knownImmByte !== undefined ? v128Const(table.bytes(m.knownImmByte)) : w.loadV(w.shl(m.immByte(), w.i32(4)), table.address);

export function writeImmTables(m: LinearMemory): void {
  for (const { bytes, address } of tables) for (let imm = 0; imm < 256; imm++) m.u8.set(bytes(imm), address + imm * 16);
}
