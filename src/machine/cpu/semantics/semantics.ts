import type { Emitter } from '../tiers/emitter.ts';

/** What an operation means: emits code that reads operands, checks, computes and commits, in that order. */
export type Semantics = (m: Emitter) => void;
export type SemanticsTable = Readonly<Record<string, Semantics>>;
