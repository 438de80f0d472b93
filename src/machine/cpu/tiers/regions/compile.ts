import { CODE_TLB_ENTRIES, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../../memory/layout.ts';
import type { LinearMemory } from '../../../memory/linear-memory.ts';
import { CR0, CR4 } from '../../cpu.ts';
import * as L from '../../layout.ts';
import { FunctionBuilder } from '../../wasm/function.ts';
import type { Code } from '../../wasm/value.ts';
import * as w from '../../wasm/value.ts';
import { BUDGET_FLOOR } from '../record.ts';
import { ENTRY_MISSED, NOT_ENTERED } from './entry.ts';
import type { FlagState } from './flags.ts';
import { sameState } from './flags.ts';
import type { Graph, RegionBlock } from './graph.ts';
import { avxMissing, imports } from '../emitter.ts';
import type { BlockCode, Edge } from './region-emitter.ts';
import { RegionEmitter, regionImports } from './region-emitter.ts';
import type { Flow } from './structure.ts';
import { analyze, Structure } from './structure.ts';

/** What regions import, in the order of `RegionImport`. */
export const REGION_IMPORTS = regionImports.map((name) => imports.find((i) => i.name === name)!);

export interface CompiledRegion {
  readonly code: FunctionBuilder;
  /** The budget that must be left to enter, and at the head of every loop. */
  readonly floor: number;
}

/**
 * A region as a function (CPU block, record, budget left, floor) that returns the record to go on with, 0 for SLOW_ADDRESS,
 * or, below zero, what a helper wants TypeScript to see (`Exit`). `entry` is the address of what tier 0 knows of it (entry.ts).
 */
export function compileRegion(m: LinearMemory, graph: Graph, op: (record: number) => number, entry: number, callsRam: boolean): CompiledRegion {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32'], 'i32');
  const e = new RegionEmitter(f, m, callsRam);
  const flow = analyze(graph.blocks[0]!);
  const codes = emitBlocks(e, flow, op);
  const stored = needStored(codes);
  const onEdge = (edge: Edge): Code => (stored.has(edge.to) ? f.fragment(() => e.flags.store(edge.state)) : []);
  const body = new Structure(flow, codes, onEdge).place(1, 1);

  f.set(e.registers.page, w.load64(e.c, L.SLOT_CODE_PAGE));
  guard(e, graph);
  if (e.usesTlb) f.set(e.tlb, w.load32(e.c, L.TLB));
  e.registers.load(e.c);
  e.flags.load(e.c);
  f.block(() => f.do(body));
  e.registers.store(e.c);
  e.flags.write(e.c);
  e.fillHelpers();
  f.do(w.store32(e.c, e.left, L.LEFT));
  if (e.usesTlb) f.do(w.store32(w.i32(entry), w.add(w.load32(w.i32(entry), ENTRY_MISSED), e.missed), ENTRY_MISSED));
  f.if(
    e.exitRecord,
    () => graph.pages.size > 0 && f.do(w.store64(e.c, w.add(e.registers.page, w.signed64(e.exitDelta)), L.SLOT_CODE_PAGE)),
    () => f.do(w.store64(e.c, e.target, L.SLOW_ADDRESS)),
  );
  f.return(e.exitRecord);
  f.unreachable();
  return { code: f, floor: graph.instructions + BUDGET_FLOOR };
}

/** Emits the blocks in an order in which what comes before is known, except along the edges back. */
function emitBlocks(e: RegionEmitter, flow: Flow, op: (record: number) => number): Map<RegionBlock, BlockCode> {
  const codes = new Map<RegionBlock, BlockCode>();
  for (const b of flow.order) codes.set(b, e.emitBlock(b, entryState(b, flow, codes), flow.isLoop(b), op));
  return codes;
}

function entryState(b: RegionBlock, flow: Flow, codes: ReadonlyMap<RegionBlock, BlockCode>): FlagState {
  const states: FlagState[] = b.order === 0 ? ['stored'] : [];
  for (const p of flow.predecessors[b.order]!) {
    const code = codes.get(p);
    if (!code) return 'unknown';
    for (const edge of code.edges) if (edge.to === b) states.push(edge.state);
  }
  return states.every((s) => sameState(s, states[0]!)) ? states[0]! : 'unknown';
}

/** The blocks to which all edges must bring RES, AUX and FLG: those that read flags not knowing who set them, and those on the way there. */
function needStored(codes: ReadonlyMap<RegionBlock, BlockCode>): Set<RegionBlock> {
  const found = new Set<RegionBlock>();
  for (const { block, readsUnknown } of codes.values()) if (readsUnknown) found.add(block);
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const { block, edges } of codes.values()) if (edges.some((e) => e.state === 'unknown' && found.has(e.to))) found.add(block);
  }
  return found;
}

/** What must hold on entry: the region's other pages are where they were, and SSE and AVX are enabled if they are used. */
function guard(e: RegionEmitter, graph: Graph): void {
  const { f } = e;
  const fails = (): void => f.return(w.i32(NOT_ENTERED));
  for (const [delta, page] of graph.pages) {
    f.scope(() => {
      const linear = f.let(w.add(e.registers.page, w.i64(delta)));
      const index = w.and(w.wrap(w.shrU(linear, w.i64(8))), w.i32((CODE_TLB_ENTRIES - 1) << 4));
      const entry = f.let(w.add(w.load32(e.c, L.TLB), index));
      const at = TLB_ENTRIES * TLB_ENTRY_SIZE;
      f.if(w.or(w.ne(w.load64(entry, at), linear), w.ne(w.load32(entry, at + 8), w.i32(page.table))), fails);
    });
  }
  if (e.usesSse) {
    f.if(w.or(w.and(w.load32(e.c, L.CR0), w.i32(CR0.EM | CR0.TS)), w.eqz(w.and(w.load32(e.c, L.CR4), w.i32(CR4.OSFXSR)))), fails);
  }
  if (e.usesAvx) f.if(w.or(avxMissing(e.c), w.and(w.load32(e.c, L.CR0), w.i32(CR0.TS))), fails);
}
