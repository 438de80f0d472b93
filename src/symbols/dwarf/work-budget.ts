import { SymbolFileError } from '../errors.ts';

/**
 * DWARF is full of offsets, and a damaged file can make thousands of units share one long list, so that reading it takes quadratic time.
 * Every reader pays for what it reads, about a unit a byte; an honest file is read a few times over at most.
 */
export class WorkBudget {
  #left: number;

  constructor(size: number) {
    this.#left = size * 16 + 0x10_0000;
  }

  spend(amount: number, where: string): void {
    this.#left -= amount;
    if (this.#left < 0) throw new SymbolFileError('gives up: reading it takes many times the work of an intact file', where);
  }
}
