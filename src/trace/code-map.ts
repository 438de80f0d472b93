import type { Cpu } from '../machine/cpu/cpu.ts';
import { PageMark } from '../machine/cpu/mmu/locate.ts';
import { peekTranslate } from '../machine/cpu/mmu/walk.ts';
import type { Machine } from '../machine/machine.ts';
import type { PhysAddr } from '../machine/memory/address.ts';
import { PAGE_SIZE } from '../machine/memory/layout.ts';
import { services } from '../machine/uefi/services/index.ts';
import type { CodeLocation } from '../symbols/symbolizer.ts';
import { Symbolizer } from '../symbols/symbolizer.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { Code } from './code.ts';
import type { CodeOptions } from './code.ts';

/** An address of code: which, and how far into it. */
export interface Located {
  readonly code: Code;
  readonly offset: bigint;
}

interface Image {
  readonly name: string;
  readonly base: PhysAddr;
  readonly size: number;
}

const SLOT_SIZE = 16;
/** Addresses remembered before all are forgotten: code without symbols makes one of each. */
const MOST = 200_000;

/**
 * Names of code by physical address, whatever linear address it runs at. Remembered as long as the page is known not to have
 * been written: while it holds decoded code the machine sees every write to it (SDM Vol. 3, 12.6 asks the same of a processor).
 */
export class CodeMap {
  readonly #machine: Machine;
  readonly #symbolizer: Symbolizer;
  readonly #generations = new Map<number, number>();
  readonly #pages = new Map<number, Map<number, Located>>();
  readonly #functions = new Map<SymbolFile, Map<bigint, Code>>();
  readonly #slots = new Map<number, Code>();
  readonly #regions = new Map<string, Code>();
  /** Where files lie: link address minus physical address, as identified pages told. */
  readonly #biases = new Map<SymbolFile, Set<number>>();
  readonly #images: Image[] = [];
  readonly #filter: Pick<CodeOptions, 'wants' | 'until'>;
  #fresh = 0;
  #count = 0;

  constructor(machine: Machine, files: readonly SymbolFile[], filter: Pick<CodeOptions, 'wants' | 'until'>) {
    this.#machine = machine;
    this.#filter = filter;
    this.#symbolizer = new Symbolizer({
      read: (page) => machine.memory.peek(page * PAGE_SIZE, PAGE_SIZE),
      generation: (page) => (this.#watched(page) ? (this.#generations.get(page) ?? 0) : --this.#fresh),
    });
    for (const file of files) this.#symbolizer.addFile(file);
  }

  imageLoaded(image: Image): void {
    this.#images.push({ name: image.name, base: image.base, size: image.size });
    this.#pages.clear();
  }

  /** The page is about to be executed after it was written. */
  pageChanged(physical: PhysAddr): void {
    const page = Math.floor(physical / PAGE_SIZE);
    this.#generations.set(page, (this.#generations.get(page) ?? 0) + 1);
    this.#pages.delete(page);
  }

  at(cpu: Cpu, linear: bigint): Located {
    const physical = peekTranslate(cpu, linear);
    if (physical === undefined) return this.#unknown(linear);
    const page = Math.floor(physical / PAGE_SIZE);
    const known = this.#pages.get(page)?.get(physical);
    if (known !== undefined && this.#watched(page)) return known;
    const located = this.#resolve(physical, linear);
    if (this.#watched(page)) this.#remember(page, physical, located);
    return located;
  }

  /** The service whose trap slot is at this address. */
  slotNamed(address: PhysAddr): Located {
    return this.#slot(address - this.#machine.firmware!.trapRange.base);
  }

  #watched(page: number): boolean {
    return ((this.#machine.memory.pageMarks[page] ?? 0) & PageMark.code) !== 0;
  }

  #remember(page: number, physical: PhysAddr, located: Located): void {
    if (++this.#count > MOST) {
      this.#pages.clear();
      this.#count = 0;
    }
    let addresses = this.#pages.get(page);
    if (addresses === undefined) this.#pages.set(page, (addresses = new Map()));
    addresses.set(physical, located);
  }

  #resolve(physical: PhysAddr, linear: bigint): Located {
    const image = this.#images.findLast((i) => physical >= i.base && physical < i.base + i.size);
    const { firmware } = this.#machine;
    const traps = firmware?.trapRange;
    if (traps && physical >= traps.base && physical < traps.base + traps.length) return this.#slot(physical - traps.base);
    const location = this.#symbolizer.locate(physical);
    if (location !== undefined) {
      this.#noteBias(location, physical);
      return this.#inFile(location, image);
    }
    if (image !== undefined)
      return this.#region('image', `${image.name}+0x${(physical - image.base).toString(16)}`, physical - image.base, image.size, image);
    const stubs = firmware?.layout.stubs;
    if (stubs && physical >= stubs.base && physical < stubs.base + stubs.length) {
      return this.#region('firmware', firmware!.stubAt(physical) ?? 'firmware', physical - stubs.base, stubs.length);
    }
    const beside = this.#besideKnown(physical);
    return beside === undefined ? this.#unknown(linear) : this.#inFile(beside, image);
  }

  #noteBias({ file, linkAddress }: CodeLocation, physical: PhysAddr): void {
    let known = this.#biases.get(file);
    if (known === undefined) this.#biases.set(file, (known = new Set()));
    known.add(Number(linkAddress) - physical);
  }

  /** Code in a data section changes and cannot be recognised, but it lies where the rest of its file does. */
  #besideKnown(physical: PhysAddr): CodeLocation | undefined {
    for (const [file, biases] of this.#biases) {
      for (const bias of biases) {
        const link = physical + bias;
        if (link < 0 || !file.sections.some((s) => s.allocated && link >= Number(s.address) && link < Number(s.address) + s.size)) continue;
        const location = { file, linkAddress: BigInt(link) };
        if (file.symbolAt(location.linkAddress) !== undefined) return location;
      }
    }
    return undefined;
  }

  #slot(offset: number): Located {
    const slot = Math.floor(offset / SLOT_SIZE);
    let code = this.#slots.get(slot);
    if (code === undefined) {
      const service = services[slot]!;
      code = new Code({ name: `efi:${service.name}`, kind: 'firmware', size: SLOT_SIZE, image: 'firmware', service, ...this.#filter });
      this.#slots.set(slot, code);
    }
    return { code, offset: BigInt(offset % SLOT_SIZE) };
  }

  #inFile({ file, linkAddress }: CodeLocation, image: Image | undefined): Located {
    const found = functionAround(file, linkAddress);
    if (found === undefined) {
      const section = file.sections.find((s) => s.executable && linkAddress >= s.address && linkAddress < s.address + BigInt(s.size));
      const from = section?.address ?? linkAddress & ~0xfffn;
      const name = linkAddress === file.entry ? `entry of ${file.name}` : `${file.name}+0x${(linkAddress - file.imageBase).toString(16)}`;
      return this.#region('image', name, Number(linkAddress - from), section?.size ?? PAGE_SIZE, { name: file.name }, image !== undefined);
    }
    let functions = this.#functions.get(file);
    if (functions === undefined) this.#functions.set(file, (functions = new Map()));
    let code = functions.get(found.address);
    if (code === undefined) {
      const { name, address: link, size } = found;
      code = new Code({ name, kind: 'function', size, file, link, loadedByFirmware: image !== undefined, ...this.#filter });
      functions.set(found.address, code);
    }
    return { code, offset: linkAddress - found.address };
  }

  #unknown(linear: bigint): Located {
    return this.#region('unknown', `0x${linear.toString(16)}`, Number(linear & 0xfffn), PAGE_SIZE);
  }

  #region(
    kind: 'image' | 'firmware' | 'unknown',
    name: string,
    offset: number,
    size: number,
    image?: { readonly name: string },
    loadedByFirmware = image !== undefined,
  ): Located {
    const key = `${image?.name ?? ''}:${name}`;
    let code = this.#regions.get(key);
    if (code === undefined) {
      if (this.#regions.size > MOST) this.#regions.clear();
      code = new Code({ name, kind, size, image: image?.name, loadedByFirmware, ...this.#filter });
      this.#regions.set(key, code);
    }
    return { code, offset: BigInt(offset) };
  }
}

/** The function that holds an address: a label inside a function that has a size is not one. */
function functionAround(file: SymbolFile, address: bigint): { name: string; address: bigint; size: number } | undefined {
  const symbol = file.symbolAt(address);
  if (symbol === undefined || symbol.kind === 'function') return symbol;
  const around = symbol.address > 0n ? file.symbolAt(symbol.address - 1n) : undefined;
  return around?.kind === 'function' && around.address + BigInt(around.size) > address ? around : symbol;
}
