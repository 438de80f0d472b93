import type { InlineFrame, SymbolFile } from '../symbols/symbol-file.ts';

/** Where code runs: before VMX or outside it, as the VMM, or as its guest. */
export type World = 'firmware' | 'vmm' | 'guest';

/** A call that the compiler replaced by the callee's body; as a tree inside the function it was inlined into. */
export interface InlineCall {
  readonly name: string;
  readonly file: string | undefined;
  /** Line of the call that was inlined. */
  readonly line: number | undefined;
  readonly outer: InlineCall | undefined;
  readonly depth: number;
  readonly code: Code;
  readonly wanted: boolean;
  readonly until: boolean;
  readonly seen: Set<number>;
}

/** An instruction that transfers control, by its place in its function. */
export class Site {
  readonly offset: number;
  /** The inlined call it is in, innermost. */
  readonly inline: InlineCall | undefined;
  /** Calls from here that the text has shown so far. */
  shown = 0;

  constructor(offset: number, inline: InlineCall | undefined) {
    this.offset = offset;
    this.inline = inline;
  }
}

/** `function`: a symbol has its extent. The others are regions whose insides are not known; each target in them has its own name. */
export type CodeKind = 'function' | 'image' | 'firmware' | 'unknown';

export interface CodeOptions {
  readonly name: string;
  readonly kind: CodeKind;
  readonly size: number;
  /** Symbol file and link address of the first byte. */
  readonly file?: SymbolFile;
  readonly link?: bigint;
  readonly image?: string | undefined;
  readonly loadedByFirmware?: boolean;
  /** UEFI service behind a trap slot, and whether it is one of the specification's. */
  readonly service?: { readonly hidden: boolean };
  readonly wants: (name: string, image: string | undefined) => boolean;
  readonly until: string | undefined;
}

/** A function, or what stands for one where there are no symbols. */
export class Code {
  readonly name: string;
  readonly kind: CodeKind;
  readonly size: bigint;
  readonly image: string | undefined;
  readonly source: string | undefined;
  readonly line: number | undefined;
  readonly loadedByFirmware: boolean;
  readonly service: { readonly hidden: boolean } | undefined;
  /** The reader asked for it (`--only`), or for the run to end there (`--until`). */
  readonly wanted: boolean;
  readonly until: boolean;
  /** Places (CPU and world) in which it was entered already. */
  readonly seen = new Set<number>();
  /** `f` and `f.cold` are one function in two pieces. */
  readonly group: string;
  /** Stands for the place where an event interrupts, which may be any. */
  readonly eventSite = new Site(-1, undefined);
  readonly #options: CodeOptions;
  readonly #sites = new Map<number, Site>();
  readonly #inlines = new Map<string, InlineCall>();

  constructor(options: CodeOptions) {
    const { name, kind, size, file, link, image, loadedByFirmware, service, wants, until } = options;
    this.#options = options;
    this.name = name;
    this.kind = kind;
    this.size = BigInt(size);
    this.image = image ?? file?.name;
    this.loadedByFirmware = loadedByFirmware ?? false;
    this.service = service;
    this.group = `${this.image ?? ''}:${kind === 'function' ? name.replace(/\.cold(\.\d+)?$/, '') : kind}`;
    // The outermost frame's line: the first instruction may be an inlined function's.
    const at = kind === 'function' && file !== undefined ? file.inlineChainAt(link!).at(-1) : undefined;
    this.source = at?.shortFile;
    this.line = at?.line;
    this.wanted = wants(name, this.image);
    this.until = until === name;
  }

  /** The site at an offset from the first byte. */
  site(offset: number): Site {
    const known = this.#sites.get(offset);
    if (known !== undefined) return known;
    const site = new Site(offset, this.#inlineAt(offset));
    this.#sites.set(offset, site);
    return site;
  }

  #inlineAt(offset: number): InlineCall | undefined {
    const { file, link, kind } = this.#options;
    if (kind !== 'function' || file === undefined) return undefined;
    const chain = file.inlineChainAt(BigInt.asUintN(64, link! + BigInt(offset)));
    let inline: InlineCall | undefined;
    // The last is the function itself; a frame's line is where it calls the one before it.
    for (let n = chain.length - 2; n >= 0; n--) inline = this.#inlineCall(chain[n]!, chain[n + 1]!, inline);
    return inline;
  }

  #inlineCall({ name }: InlineFrame, { shortFile, line }: InlineFrame, outer: InlineCall | undefined): InlineCall {
    const key = `${outer === undefined ? '' : `${this.#keyOf(outer)}/`}${name}@${shortFile ?? ''}:${line ?? ''}`;
    let call = this.#inlines.get(key);
    if (call === undefined) {
      const { wants, until } = this.#options;
      call = {
        name,
        file: shortFile,
        line,
        outer,
        depth: (outer?.depth ?? 0) + 1,
        code: this,
        wanted: wants(name, this.image),
        until: until === name,
        seen: new Set(),
      };
      this.#inlines.set(key, call);
    }
    return call;
  }

  #keyOf(call: InlineCall): string {
    for (const [key, value] of this.#inlines) if (value === call) return key;
    return '';
  }
}

/** Are they one function, or one region without symbols? */
export const sameCode = (a: Code, b: Code): boolean => a === b || (a.group === b.group && a.kind === b.kind);
