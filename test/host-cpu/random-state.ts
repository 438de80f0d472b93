import type { Row } from '../../src/machine/cpu/isa/row.ts';
import type { Case, Patch } from './case.ts';
import { DATA, DATA_SIZE, MAX_PATCH } from './case.ts';
import { littleEndian } from './addressing.ts';
import { Random } from './random.ts';
import type { Kind } from './values.ts';
import { fillLanes, putExtended, randomMxcsr, randomX87 } from './values.ts';

/** The vector, x87 and memory state of a case, drawn to suit the row. */
export type VectorState = Pick<Case, 'xmm' | 'ymmHigh' | 'mxcsr' | 'x87' | 'patch'>;

export const isX87 = (row: Row): boolean => row.map === 0 && !row.vex && ((row.opcode >= 0xd8 && row.opcode <= 0xdf) || row.opcode === 0x9b);
const isMmx = (row: Row): boolean => row.operands.some((o) => /^[PQN]/.test(o)) || row.name === 'emms';
const isVector = (row: Row): boolean => row.traits.vector || row.operands.some((o) => /^[VWHLU]/.test(o)) || row.name.startsWith('vzero');
/** FXSAVE, XSAVE and their like show all of it. */
const savesState = (row: Row): boolean => /^f?x(save|rstor)|^(ld|st)mxcsr/.test(row.name);

/** What the lanes of a row's operands are, by the SDM's mnemonics; a conversion's name says its source first. */
const kinds: readonly (readonly [RegExp, Kind])[] = [
  [/^cvtt?ph/, 'f16'],
  [/^cvtt?[ps]s/, 'f32'],
  [/^cvtt?[ps]d/, 'f64'],
  [/^(p|cvt)/, 'int'],
  [/[ps]s$/, 'f32'],
  [/[ps]d$/, 'f64'],
];

function kindOf(name: string, random: Random): Kind {
  const mnemonic = name.replace(/^v/, '').replace(/_.*/, '');
  const kind = kinds.find(([pattern]) => pattern.test(mnemonic))?.[1] ?? 'int';
  return kind === 'int' && random.chance(12) ? random.pick(['f32', 'f64'] as const) : kind;
}

const halves = (bytes: Uint8Array): bigint[] => Array.from(new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8));

/** For rows that have nothing to do with vectors: some contents that must stay. */
const plain = Array.from({ length: 4 }, (_, n) => {
  const bytes = new Uint8Array(512);
  fillLanes(bytes, 'int', new Random(BigInt(n)));
  const all = halves(bytes);
  return { xmm: all.slice(0, 32), ymmHigh: all.slice(32) };
});

/**
 * @param target where the memory operand lies, if there is one
 * @param atEdge it may fault: whether that or a pending #MF comes first is the processor's own for MMX (SDM Vol. 3, table 6-2)
 */
export function randomState(row: Row, random: Random, target: number | undefined, atEdge: boolean): VectorState {
  const x87 = isX87(row) || isMmx(row) || savesState(row) ? randomX87(random, isMmx(row) || random.chance(16), atEdge && !isX87(row)) : undefined;
  const vector = isVector(row) || savesState(row);
  const kind = vector ? kindOf(row.name, random) : 'int';
  const patch = target === undefined ? undefined : randomPatch(row, kind, random, target);
  const rest = { ...(x87 ? { x87 } : {}), ...(patch ? { patch } : {}) };
  if (!vector) return { ...random.pick(plain), ...rest };
  const bytes = new Uint8Array(512);
  fillLanes(bytes, kind, random);
  const all = halves(bytes);
  return { xmm: all.slice(0, 32), ymmHigh: all.slice(32), mxcsr: randomMxcsr(random), ...rest };
}

/** The memory operand's bytes: of the row's kind where that matters. Those in the read-only page and beyond stay as they are. */
function randomPatch(row: Row, kind: Kind, random: Random, target: number): Patch | undefined {
  const at = Math.max(target - DATA, 0);
  const length = Math.min(MAX_PATCH, DATA_SIZE - at);
  if (length <= 0 || target < DATA - 16) return undefined;
  const bytes = new Uint8Array(MAX_PATCH);
  if (row.name === 'ldmxcsr' || row.name === 'vldmxcsr') bytes.set(littleEndian(random.chance(6) ? random.u32() : randomMxcsr(random), 4));
  else if (!isX87(row)) {
    if (!isVector(row) && !isMmx(row) && !random.chance(3)) return undefined;
    fillLanes(bytes, kind, random);
  } else {
    const own = /^f[a-z]+_m(\d+)$/.exec(row.name)?.[1];
    const usual = row.name.startsWith('fi')
      ? 'int'
      : own === '32'
        ? 'f32'
        : own === '64'
          ? 'f64'
          : own === '80'
            ? 'f80'
            : row.name === 'fbld'
              ? 'bcd'
              : 'control';
    const what = random.chance(8) ? 'int' : usual;
    if (what === 'f80') putExtended(bytes, 0, random);
    else if (what === 'bcd') for (let n = 0; n < 10; n++) bytes[n] = n === 9 ? random.below(2) << 7 : random.below(10) | (random.below(10) << 4);
    else if (what === 'control') bytes.set(randomX87(random, false).subarray(0, 2));
    else fillLanes(bytes, what, random);
  }
  return { at, bytes: bytes.subarray(0, length) };
}
