import { Flag } from '../../src/machine/cpu/cpu.ts';

const { CF, PF, AF, ZF, SF, OF } = Flag;
const ALL = CF | PF | AF | ZF | SF | OF;

/** RFLAGS bits that an instruction leaves undefined (SDM Vol. 2, "Flags Affected"), given its shift count and width. */
export function undefinedFlags(name: string, count: number, width: number): number {
  switch (name) {
    case 'and':
    case 'or':
    case 'xor':
    case 'test':
      return AF;
    case 'shl':
    case 'shr':
    case 'sar':
      if (count === 0) return 0;
      return AF | (count === 1 ? 0 : OF) | (count >= width && name !== 'sar' ? CF : 0);
    case 'rol':
    case 'ror':
    case 'rcl':
    case 'rcr':
      return count <= 1 ? 0 : OF;
    case 'shld':
    case 'shrd':
      if (count === 0) return 0;
      return count > width ? ALL : AF | (count === 1 ? 0 : OF);
    case 'mul':
    case 'imul':
    case 'imul1':
      return SF | ZF | AF | PF;
    case 'div':
    case 'idiv':
      return ALL;
    case 'bt':
    case 'bts':
    case 'btr':
    case 'btc':
      return OF | SF | AF | PF;
    case 'bsf':
    case 'bsr':
      return CF | OF | SF | AF | PF;
    case 'tzcnt':
    case 'lzcnt':
      return OF | SF | PF | AF;
    case 'andn':
    case 'blsr':
    case 'blsmsk':
    case 'blsi':
    case 'bzhi':
      return AF | PF;
    case 'bextr':
      return AF | PF | SF;
    case 'daa':
    case 'das':
      return OF;
    case 'aaa':
    case 'aas':
      return OF | SF | ZF | PF;
    case 'aam':
    case 'aad':
      return OF | AF | CF;
    default:
      return 0;
  }
}
