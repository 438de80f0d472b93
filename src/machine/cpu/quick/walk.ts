/**
 * The page walk of mmu/walk.ts in WebAssembly, with the same results: SDM Vol. 3, chapter 4. It gives up, before anything has
 * changed, where an entry is no plain RAM or would be written beside code, under EPT, and where protection keys deny.
 */
import { BIG_PAGES, CPU_BLOCK_SIZE, CPU_BLOCKS, PAGE_MARKS, PLAIN_AGAIN, PLAIN_BYTES, PLAIN_END, RAM } from '../../memory/layout.ts';
import { RESERVED_1G, RESERVED_ADDRESS, TLB_CONTEXT_SIZE, TLB_PER_CPU, TLBS } from '../../memory/layout.ts';
import { CR0, CR4, EFER, Flag } from '../cpu.ts';
import * as L from '../layout.ts';
import { BIG_NOTED, BIG_OVERFLOW, BIG_PAGE_SETS, BIG_PAGE_WAYS, sizeCode } from '../mmu/big-pages.ts';
import { PDPTES } from '../mmu/pdptes.ts';
import { BIG_PAGE_RESERVED, Entry, PageFault, Want } from '../mmu/walk.ts';
import type { Label, Local } from '../wasm/function.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import type { Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';

/**
 * The result: the physical page's address with these bits, the page being plain RAM; or negative, `GIVEN_UP` or a page fault
 * with its error code in the low byte.
 */
export const Walked = { mayCache: 1n, mayCacheWrite: 2n } as const;
export const GIVEN_UP = -1n;
const FAULT = -(1n << 63n);

/** (CPU block, linear address, what is wanted: `Want`) */
export const WALK_PARAMS = ['i32', 'i64', 'i32'] as const;

const PAGE = -4096n;
const ADDRESS = 0xf_ffff_ffff_f000n;
const NO_EXECUTE = 1n << 63n;

const isSet = (v: Value): Value => w.eqz(w.eqz(v));

/** Address of the context in use: `contextAt` of mmu/tlb.ts. */
export function contextInUse(c: Value): Value {
  const cpu = w.divU(w.sub(c, w.i32(CPU_BLOCKS)), w.i32(CPU_BLOCK_SIZE));
  const offset = w.add(w.mul(cpu, w.i32(TLB_PER_CPU)), w.mul(w.load32(c, L.TLB_CONTEXT), w.i32(TLB_CONTEXT_SIZE)));
  return w.add(w.i32(TLBS), offset);
}

/** `noteBig` of mmu/big-pages.ts: (CPU block, linear address, log2 of the size). */
export function noteBigPage(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i64', 'i32'], 'i32');
  const [c, linear, bits] = [f.param(0), f.param(1), f.param(2)];
  const context = f.let(contextInUse(c));
  const page = f.let(w.shrU(linear, w.unsigned64(bits)));
  const number = f.let(w.or(w.shl(page, w.unsigned64(bits)), w.unsigned64(w.sub(bits, w.i32(30 - sizeCode(30))))));
  const at = f.let(w.add(context, w.shl(w.and(w.wrap(page), w.i32(BIG_PAGE_SETS - 1)), w.i32(Math.log2(BIG_PAGE_WAYS * 8)))));
  const end = f.let(w.add(at, w.i32(BIG_PAGE_WAYS * 8)));
  f.loop((again) => {
    const known = f.let(w.load64(at, BIG_PAGES));
    f.if(w.eq(known, number), () => f.return(w.i32(0)));
    f.if(w.eqz(known), () => {
      f.do(w.store64(at, number, BIG_PAGES));
      f.do(w.store32(context, w.i32(1), BIG_NOTED));
      f.return(w.i32(0));
    });
    f.set(at, w.add(at, w.i32(8)));
    f.brIf(again, w.ne(at, end));
  });
  f.do(w.store32(context, w.i32(1), BIG_OVERFLOW));
  f.do(w.store32(context, w.i32(1), BIG_NOTED));
  f.return(w.i32(0));
  return f;
}

/** An entry that was met: where it lies, and itself; 0 when it was not met or is the leaf. */
interface Met {
  readonly at: Local;
  readonly entry: Local;
}

class Walk {
  readonly f = new FunctionBuilder(WALK_PARAMS, 'i64');
  readonly c = this.f.param(0);
  readonly linear = this.f.param(1);
  readonly want = this.f.param(2);
  readonly #noteBigPage: number;
  /** Tables above the leaf, then the leaf itself. */
  readonly #met: Met[] = [];
  readonly #table = this.f.local('i64');
  /** The entries' bits and-ed and or-ed. */
  readonly #all = this.f.local('i64');
  readonly #any = this.f.local('i64');
  readonly #reserved = this.f.local('i64');
  readonly #leaf = this.f.local('i64');
  readonly #leafAt = this.f.local('i64');
  readonly #bits = this.f.local('i32');
  readonly #physical = this.f.local('i64');
  readonly #errorCode = this.f.local('i32');
  #fault!: Label;

  constructor(noteBigPageFunction: number) {
    this.#noteBigPage = noteBigPageFunction;
  }

  #wants(bit: number): Value {
    return w.and(this.want, w.i32(bit));
  }
  #cr4(bit: number): Value {
    return w.and(w.load32(this.c, L.CR4), w.i32(bit));
  }
  #giveUpIf(condition: Value): void {
    this.f.if(condition, () => this.f.return(w.i64(GIVEN_UP)));
  }

  #faultIf(condition: Value, bits: number): void {
    this.f.if(condition, () => {
      this.f.set(this.#errorCode, w.i32(bits));
      this.f.br(this.#fault);
    });
  }

  /** The fetch bit exists only with NX or SMEP: SDM Vol. 3, 4.7. */
  #returnFault(): void {
    const { f } = this;
    const nx = w.and(isSet(this.#cr4(CR4.PAE)), isSet(w.and(w.load32(this.c, L.EFER), w.i32(EFER.NXE))));
    const fetch = w.select(w.or(nx, isSet(this.#cr4(CR4.SMEP))), w.shl(this.#wants(Want.execute), w.i32(3)), w.i32(0));
    const access = w.or(w.shl(this.#wants(Want.write), w.i32(1)), this.#wants(Want.user));
    f.return(w.or(w.i64(FAULT), w.unsigned64(w.or(w.or(access, fetch), this.#errorCode))));
  }

  /** Gives up unless an address is that of plain RAM. */
  #requirePlain(at: Value): void {
    const word = (address: number): Value => w.load64(w.i32(0), address);
    this.f.if(w.geU(w.sub(at, word(PLAIN_AGAIN)), word(PLAIN_BYTES)), () => this.#giveUpIf(w.geU(at, word(PLAIN_END))));
  }

  #mark(physical: Value): Value {
    return w.load8u(w.wrap(w.shrU(physical, w.i64(12))), PAGE_MARKS);
  }

  /** Fetches the entry of a level; a big page or a PTE ends at `leaf`, else `table` goes on. */
  #level(level: number, leaf: Label): void {
    const { f, linear } = this;
    const bits = 12 + (level - 1) * 9;
    const at = f.local('i64');
    const entry = f.local('i64');
    f.set(at, w.add(this.#table, w.and(w.shrU(linear, w.i64(bits - 3)), w.i64(0xff8))));
    this.#requirePlain(at);
    f.set(entry, w.load64(w.wrap(at), RAM));
    this.#faultIf(w.eqz(w.wrap(w.and(entry, w.i64(Entry.PRESENT)))), 0);
    this.#faultIf(w.ne(w.and(entry, this.#reserved), w.i64(0)), PageFault.present | PageFault.reserved);
    f.set(this.#any, w.or(this.#any, entry));
    const ends = (): void => {
      f.set(this.#leaf, entry);
      f.set(this.#leafAt, at);
      f.set(this.#bits, w.i32(bits));
      f.set(entry, w.i64(0));
      f.br(leaf);
    };
    if (level === 1) {
      ends();
      return;
    }
    f.if(w.wrap(w.and(entry, w.i64(Entry.PS))), () => {
      const reserved = level > 3 ? w.i64(Entry.PS) : level === 3 ? w.load64(w.i32(0), RESERVED_1G) : w.i64(BIG_PAGE_RESERVED[2]!);
      this.#faultIf(w.ne(w.and(entry, reserved), w.i64(0)), PageFault.present | PageFault.reserved);
      if (level <= 3) ends();
    });
    f.set(this.#all, w.and(this.#all, entry));
    f.set(this.#table, w.and(entry, w.i64(ADDRESS)));
    this.#met.push({ at, entry });
  }

  /** PAE, 4-level and 5-level paging. */
  #wide(leaf: Label): void {
    const { f, c } = this;
    const long = w.and(w.load32(c, L.EFER), w.i32(EFER.LMA));
    const nxe = w.and(w.load32(c, L.EFER), w.i32(EFER.NXE));
    f.set(this.#reserved, w.or(w.load64(w.i32(0), RESERVED_ADDRESS), w.select(nxe, w.i64(0), w.i64(NO_EXECUTE))));
    f.if(
      long,
      () => {
        f.set(this.#table, w.and(w.load64(c, L.CR3), w.and(w.i64(ADDRESS), w.not(w.load64(w.i32(0), RESERVED_ADDRESS)))));
        f.if(this.#cr4(CR4.LA57), () => this.#level(5, leaf));
        this.#level(4, leaf);
        this.#level(3, leaf);
      },
      () => {
        // Bits 62:52 are reserved too: SDM Vol. 3, tables 4-9 to 4-11.
        f.set(this.#reserved, w.or(this.#reserved, w.i64(0x7ff0_0000_0000_0000n)));
        const pdpte = f.let(w.load64(w.add(c, w.shl(w.wrap(w.shrU(this.linear, w.i64(30))), w.i32(3))), PDPTES));
        this.#faultIf(w.eqz(w.wrap(w.and(pdpte, w.i64(Entry.PRESENT)))), 0);
        f.set(this.#table, w.and(pdpte, w.i64(PAGE)));
      },
    );
    this.#level(2, leaf);
    this.#level(1, leaf);
  }

  /** 32-bit paging; a 4-MByte page with address bits above 31 (PSE-36) is left to TypeScript. */
  #narrow(leaf: Label): void {
    const { f, c, linear } = this;
    const at = f.local('i64');
    const entry = f.local('i64');
    const fetch = (table: Value, shift: number): void => {
      f.set(at, w.add(table, w.and(w.shrU(linear, w.i64(shift)), w.i64(0xffc))));
      this.#requirePlain(at);
      f.set(entry, w.load32u64(w.wrap(at), RAM));
      this.#faultIf(w.eqz(w.wrap(w.and(entry, w.i64(Entry.PRESENT)))), 0);
    };
    const ends = (bits: number): void => {
      f.set(this.#leaf, entry);
      f.set(this.#leafAt, at);
      f.set(this.#bits, w.i32(bits));
      f.br(leaf);
    };
    fetch(w.and(w.load32u64(c, L.CR3), w.i64(PAGE)), 20);
    f.if(w.and(isSet(this.#cr4(CR4.PSE)), isSet(w.wrap(w.and(entry, w.i64(Entry.PS))))), () => {
      this.#giveUpIf(w.wrap(w.and(entry, w.i64(0x3f_e000))));
      ends(22);
    });
    const directory = { at: f.local('i64'), entry: f.local('i64') };
    f.set(directory.at, at);
    f.set(directory.entry, entry);
    f.set(this.#all, w.and(this.#all, entry));
    this.#met.push(directory);
    fetch(w.and(entry, w.i64(PAGE)), 10);
    ends(12);
  }

  /** Accessed and dirty flags: SDM Vol. 3, 4.8. One page may be several structures at once, so each flag is or-ed into memory. */
  #setFlags(): void {
    const { f } = this;
    const all = [
      ...this.#met.map((met) => ({ ...met, flags: w.i32(Entry.ACCESSED) })),
      { at: this.#leafAt, entry: this.#leaf, flags: this.#leafFlags() },
    ];
    const each = (what: (at: Value, flags: Value) => void): void => {
      for (const { at, entry, flags } of all) {
        const missing = w.ne(w.and(w.wrap(entry), flags), flags);
        f.if(w.and(w.wrap(entry), missing), () => what(at, flags));
      }
    };
    each((at) => this.#giveUpIf(this.#mark(at)));
    each((at, flags) => f.do(w.store32(w.wrap(at), w.or(w.load32(w.wrap(at), RAM), flags), RAM)));
  }

  #leafFlags(): Value {
    return w.or(w.i32(Entry.ACCESSED), w.shl(this.#wants(Want.write), w.i32(Math.log2(Entry.DIRTY))));
  }

  /** SDM Vol. 3, 4.6.1. */
  #checkPermissions(user: Local, writable: Local, protectedWrites: Local): void {
    const { f, c } = this;
    const denied = (condition: Value): void => this.#faultIf(condition, PageFault.present);
    const execute = this.#wants(Want.execute);
    // Protection keys come first; only where the key denies nothing at all. SDM Vol. 3, 4.6.2.
    f.if(w.and(w.and(user, w.eqz(execute)), isSet(this.#cr4(CR4.PKE))), () => {
      const key = w.and(w.wrap(w.shrU(this.#leaf, w.i64(58))), w.i32(0x1e));
      this.#giveUpIf(w.and(w.shrU(w.load32(c, L.PKRU), key), w.i32(3)));
    });
    const noExecute = w.ltS(this.#any, w.i64(0));
    f.if(
      this.#wants(Want.user),
      () => {
        denied(w.eqz(user));
        f.if(
          execute,
          () => denied(noExecute),
          () => denied(w.and(this.#wants(Want.write), w.eqz(writable))),
        );
      },
      () => {
        f.if(
          execute,
          () => {
            denied(noExecute);
            denied(w.and(user, isSet(this.#cr4(CR4.SMEP))));
          },
          () => {
            f.if(w.and(user, isSet(this.#cr4(CR4.SMAP))), () =>
              denied(w.or(this.#wants(Want.implicit), w.eqz(w.and(w.load32(c, L.SYSFLAGS), w.i32(Flag.AC))))),
            );
            denied(w.and(this.#wants(Want.write), w.and(w.eqz(writable), protectedWrites)));
          },
        );
      },
    );
  }

  emit(): FunctionBuilder {
    this.f.block((fault) => {
      this.#fault = fault;
      this.#walk();
    });
    this.#returnFault();
    return this.f;
  }

  #walk(): void {
    const { f, c, linear } = this;
    this.#giveUpIf(w.load32(c, L.NESTED));
    f.if(w.eqz(w.and(w.load32(c, L.CR0), w.i32(CR0.PG))), () => {
      f.set(this.#physical, w.and(linear, w.i64(0xffff_f000n)));
      this.#requirePlain(this.#physical);
      f.return(w.or(this.#physical, w.i64(Walked.mayCache | Walked.mayCacheWrite)));
    });
    for (const local of [this.#all, this.#any]) f.set(local, w.i64(local === this.#all ? -1n : 0n));
    f.block((leaf) => {
      f.if(
        this.#cr4(CR4.PAE),
        () => this.#wide(leaf),
        () => this.#narrow(leaf),
      );
    });
    const offset = f.let(w.sub(w.shl(w.i64(1), w.unsigned64(this.#bits)), w.i64(1)));
    const base = w.and(w.and(this.#leaf, w.i64(ADDRESS)), w.not(offset));
    f.set(this.#physical, w.or(base, w.and(w.and(linear, offset), w.i64(PAGE))));
    this.#requirePlain(this.#physical);
    const bits = f.let(w.and(w.wrap(this.#all), w.wrap(this.#leaf)));
    const user = f.let(w.and(w.shrU(bits, w.i32(Math.log2(Entry.USER))), w.i32(1)));
    const writable = f.let(w.and(w.shrU(bits, w.i32(Math.log2(Entry.WRITABLE))), w.i32(1)));
    const protectedWrites = f.let(isSet(w.and(w.load32(c, L.CR0), w.i32(CR0.WP))));
    this.#checkPermissions(user, writable, protectedWrites);
    const flags = f.let(this.#leafFlags());
    const complete = w.and(isSet(w.and(w.wrap(this.#all), w.i32(Entry.ACCESSED))), w.eq(w.and(w.wrap(this.#leaf), flags), flags));
    f.if(w.eqz(complete), () => this.#setFlags());
    f.if(w.ne(this.#bits, w.i32(12)), () => {
      f.do(f.call(this.#noteBigPage, [c, linear, this.#bits]).code);
      f.do([0x1a]);
    });
    // SMAP depends on RFLAGS.AC, which changes without notice: user pages are then checked at each supervisor access.
    const unprivileged = this.#wants(Want.user);
    const smap = w.and(w.eqz(unprivileged), w.and(user, isSet(this.#cr4(CR4.SMAP))));
    const dirty = w.or(this.#wants(Want.write), w.and(w.shrU(w.wrap(this.#leaf), w.i32(Math.log2(Entry.DIRTY))), w.i32(1)));
    const mayWrite = w.or(writable, w.and(w.eqz(unprivileged), w.eqz(protectedWrites)));
    const cached = w.or(w.eqz(smap), w.shl(w.and(dirty, mayWrite), w.i32(1)));
    f.return(w.or(this.#physical, w.unsigned64(cached)));
  }
}

/** @param noteBig number of the function `noteBigPage` */
export const walk = (noteBig: number): FunctionBuilder => new Walk(noteBig).emit();
