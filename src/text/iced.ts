import { createRequire } from 'node:module';

export type Iced = typeof import('iced-x86');
let loaded: Iced | undefined;

/** The disassembler, loaded when first needed: a megabyte of WebAssembly that most runs never use. */
export const iced = (): Iced => (loaded ??= createRequire(import.meta.url)('iced-x86') as Iced);
