import { parseRows, type Row } from '../row.ts';

/**
 * Most vector instructions exist three times: with a legacy encoding, with VEX on 128 bits and with VEX on 256. They are
 * written once, as legacy rows with these attributes:
 *
 *   vex      there is a VEX.128 form; vex256: one of 256 bits too; lig: one that ignores VEX.L; 256 only: no128
 *   unary    VEX.vvvv names no operand; without it, it is the first source, after the destination
 *   ndd      VEX.vvvv is the destination
 *   W0, W1   what VEX.W must be; without, it is ignored; =64 only in 64-bit mode
 *
 * A row that begins with VEX has no legacy form.
 *
 * and memory sizes relative to the vector: Wx all of it (aligned in the legacy form only, as in SDM Vol. 2, 2.4), Wxa aligned
 * in every form, Wu in none, W16c 16 bytes aligned in the legacy form, Wh, Wq and We a half, a quarter and an eighth.
 */
export function twins(text: string, unit: string, vexUnit: string): Row[] {
  return parseRows(
    text
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim())
      .filter(Boolean)
      .flatMap((line) => forms(line, unit, vexUnit))
      .join('\n'),
  );
}

const OWN = new Set(['vex', 'vex256', 'lig', 'no128', 'unary', 'ndd', 'W0', 'W1', '=64']);

function forms(line: string, unit: string, vexUnit: string): string[] {
  const [encoding = '', what = '', attributes = ''] = line.split('|').map((s) => s.trim());
  const own = new Set(attributes.split(/\s+/));
  const others = [...own].filter((a) => a !== '' && !OWN.has(a));
  const [name = '', ...operands] = what.split(/\s+/);
  const row = (e: string, n: string, list: readonly string[], bytes: number, u: string, aligns: boolean): string =>
    `${e} | ${n} ${list.map((o) => sized(o, bytes, aligns)).join(' ')} | ${[...others, u && `unit=${u}`].join(' ')}`;
  const words = encoding.split(/\s+/);
  const out = words[0] === 'VEX' ? [] : [row(encoding, name, operands, 16, unit, true)];
  if (words[0] === 'VEX') words.shift();
  const prefix = /^(66|F2|F3|NP)$/.test(words[0]!) ? words.shift()! : 'NP';
  const map = words[1] === '38' || words[1] === '3A' ? words.splice(0, 2).join('') : words.splice(0, 1).join('');
  const w = own.has('W0') ? 'W0' : own.has('W1') ? 'W1' : 'WIG';
  const three = own.has('unary') ? operands : own.has('ndd') ? ['H', ...operands] : [operands[0]!, 'H', ...operands.slice(1)];
  const vex = (length: string, bytes: number): string =>
    row(`VEX.${length}.${prefix}.${map}.${w} ${words.join(' ')}${own.has('=64') ? ' =64' : ''}`, `v${name}`, three, bytes, vexUnit, false);
  if (own.has('lig')) out.push(vex('LIG', 16));
  if ((own.has('vex') || own.has('vex256')) && !own.has('no128')) out.push(vex('128', 16));
  if (own.has('vex256')) out.push(vex('256', 32));
  return out;
}

function sized(operand: string, vectorBytes: number, aligns: boolean): string {
  const m = /^W([xuhqe])(a?)$/.exec(operand);
  if (operand === 'W16c') return aligns ? 'W16a' : 'W16';
  if (!m) return operand;
  const bytes = vectorBytes / { x: 1, u: 1, h: 2, q: 4, e: 8 }[m[1] as 'x' | 'u' | 'h' | 'q' | 'e'];
  return `W${bytes}${m[2] === 'a' || (aligns && m[1] === 'x') ? 'a' : ''}`;
}
