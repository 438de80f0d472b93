import type { Hole } from '../../wasm/function.ts';
import type { Code } from '../../wasm/value.ts';
import { uleb } from '../../wasm/value.ts';
import type { Target } from './graph.ts';
import { targetsOf } from './graph.ts';
import type { RegionBlock } from './graph.ts';
import type { BlockCode, Edge } from './region-emitter.ts';

/** What is known of a region's flow of control before its code is emitted. */
export interface Flow {
  /** Reverse postorder from the head. */
  readonly order: readonly RegionBlock[];
  readonly predecessors: readonly RegionBlock[][];
  readonly dominators: readonly number[];
  isLoop(b: RegionBlock): boolean;
}

/**
 * Orders the blocks and finds dominators and loops. An edge back to a block that does not dominate its source has no place in
 * structured code: it becomes an exit of the region.
 */
export function analyze(head: RegionBlock): Flow {
  const order = reversePostorder(head);
  const dominators = immediateDominators(order);
  const dominates = (a: number, b: number): boolean => {
    while (b > a) b = dominators[b]!;
    return a === b;
  };
  const loops = new Set<RegionBlock>();
  for (const b of order) {
    const keep = (t: Target | undefined): Target | undefined => {
      if (t?.kind !== 'block' || t.block.order > b.order) return t;
      if (!dominates(t.block.order, b.order)) return { kind: 'record', record: t.block.record, delta: t.block.delta };
      loops.add(t.block);
      return t;
    };
    b.taken = keep(b.taken);
    b.next = keep(b.next);
    const guesses = b.guesses.filter((g) => keep({ kind: 'block', block: g.block })!.kind === 'block');
    b.guesses.splice(0, b.guesses.length, ...guesses);
  }
  const predecessors: RegionBlock[][] = order.map(() => []);
  for (const b of order) for (const t of targetsOf(b)) predecessors[t.order]!.push(b);
  return { order, predecessors, dominators, isLoop: (b) => loops.has(b) };
}

/** Numbers the blocks (`order`). With a stack of its own: regions are small, but the host's stack is not ours. */
function reversePostorder(head: RegionBlock): RegionBlock[] {
  const seen = new Set([head]);
  const out: RegionBlock[] = [];
  const stack = [{ block: head, rest: [...targetsOf(head)] }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const next = top.rest.pop();
    if (!next) {
      out.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, rest: [...targetsOf(next)] });
    }
  }
  out.reverse();
  for (const [n, b] of out.entries()) b.order = n;
  return out;
}

/** By order; the head is its own. (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm.) */
function immediateDominators(order: readonly RegionBlock[]): number[] {
  const from: number[][] = order.map(() => []);
  for (const b of order) for (const t of targetsOf(b)) from[t.order]!.push(b.order);
  const dominator = order.map(() => -1);
  dominator[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (let n = 1; n < order.length; n++) {
      let d = -1;
      for (const p of from[n]!) {
        if (dominator[p] === -1) continue;
        let [x, y] = [p, d === -1 ? p : d];
        while (x !== y) {
          while (x > y) x = dominator[x]!;
          while (y > x) y = dominator[y]!;
        }
        d = x;
      }
      if (d !== dominator[n]) {
        dominator[n] = d;
        changed = true;
      }
    }
  }
  return dominator;
}

/**
 * Nests the blocks: a loop around the code that its head dominates, a block around what comes before a place where ways
 * join, everything else inline where the one edge to it lies. (Ramsey: Beyond Relooper, ICFP 2022.)
 */
export class Structure {
  readonly #flow: Flow;
  readonly #codes: ReadonlyMap<RegionBlock, BlockCode>;
  /** Code to run on an edge. */
  readonly #onEdge: (e: Edge) => Code;
  readonly #children: RegionBlock[][];
  readonly #forward: number[];
  /** Depth of the label of a loop, and of the end of the block before a join, by the block's order. */
  readonly #loopLabel: number[] = [];
  readonly #joinLabel: number[] = [];

  constructor(flow: Flow, codes: ReadonlyMap<RegionBlock, BlockCode>, onEdge: (e: Edge) => Code) {
    this.#flow = flow;
    this.#codes = codes;
    this.#onEdge = onEdge;
    this.#children = flow.order.map(() => []);
    for (let n = 1; n < flow.order.length; n++) this.#children[flow.dominators[n]!]!.push(flow.order[n]!);
    this.#forward = flow.order.map(() => 0);
    for (const { block, edges } of codes.values()) for (const e of edges) if (e.to.order > block.order) this.#forward[e.to.order]!++;
  }

  /** All code, placed at a depth; exits branch out to `exitDepth`. */
  place(exitDepth: number, depth: number): Code {
    return this.#tree(this.#flow.order[0]!, depth, exitDepth);
  }

  #tree(b: RegionBlock, depth: number, exitDepth: number): Code {
    const joins = this.#children[b.order]!.filter((c) => this.#forward[c.order]! > 1).sort((x, y) => y.order - x.order);
    if (!this.#flow.isLoop(b)) return this.#within(b, joins, 0, depth, exitDepth);
    this.#loopLabel[b.order] = depth + 1;
    return [0x03, 0x40, this.#within(b, joins, 0, depth + 1, exitDepth), 0x0b];
  }

  #within(b: RegionBlock, joins: readonly RegionBlock[], n: number, depth: number, exitDepth: number): Code {
    const join = joins[n];
    if (!join) return this.#body(b, depth, exitDepth);
    this.#joinLabel[join.order] = depth + 1;
    return [0x02, 0x40, this.#within(b, joins, n + 1, depth + 1, exitDepth), 0x0b, this.#tree(join, depth, exitDepth)];
  }

  #body(b: RegionBlock, depth: number, exitDepth: number): Code {
    const { code, edges, exits } = this.#codes.get(b)!;
    const branch = (hole: Hole, label: number): void => void hole.code.push(0x0c, ...uleb(depth + hole.depth - label));
    for (const hole of exits) branch(hole, exitDepth);
    for (const e of edges) {
      e.hole.code.push(this.#onEdge(e));
      if (e.to.order <= b.order) branch(e.hole, this.#loopLabel[e.to.order]!);
      else if (this.#forward[e.to.order]! > 1) branch(e.hole, this.#joinLabel[e.to.order]!);
      else e.hole.code.push(this.#tree(e.to, depth + e.hole.depth, exitDepth));
    }
    return code;
  }
}
