import type { Machine } from '../machine/machine.ts';
import { nearest } from '../text/suggest.ts';
import { ExitStatus, UserError } from './errors.ts';
import type { RunSymbols } from './run-symbols.ts';

/** VMX mnemonics that `--until` takes besides symbols: they stop at the first one executed, anywhere. */
export const vmxMnemonics = new Set(['vmxon', 'vmxoff', 'vmclear', 'vmptrld', 'vmptrst', 'vmread', 'vmwrite', 'vmlaunch', 'vmresume', 'vmcall', 'invept', 'invvpid', 'vmfunc']); // prettier-ignore

/** Stops the machine at a symbol, wherever its code turns up. Breakpoint ids that belong to it are in the returned set. */
export function stopAt(machine: Machine, symbols: RunSymbols, symbol: string): ReadonlySet<number> {
  const ids = new Set<number>();
  if (vmxMnemonics.has(symbol)) {
    machine.stopOnVmxInstructions(new Set([symbol]));
    return ids;
  }
  if (!symbols.knows(symbol)) {
    const near = nearest(symbol, symbols.names());
    throw new UserError(`--until ${symbol}: no such symbol${near ? `; did you mean ${near}?` : ' in the files that are booted'}`, ExitStatus.usage);
  }
  const known = new Set<bigint>();
  const place = (): void => {
    for (const linear of symbols.addressesOf(symbol)) {
      if (known.has(linear)) continue;
      known.add(linear);
      ids.add(machine.addBreakpoint({ linear }));
    }
  };
  place();
  const before = symbols.onPlaced;
  symbols.onPlaced = (placed) => {
    before(placed);
    place();
  };
  return ids;
}
