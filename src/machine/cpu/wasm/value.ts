/**
 * Typed WebAssembly expressions. A `Value` is code that leaves one value on the stack; combining values concatenates
 * code, so an expression costs nothing until it is emitted. Nested arrays are flattened once, by the module builder.
 */
export type Type = 'i32' | 'i64' | 'v128';
export type Code = readonly (number | Code)[];
export interface Value {
  readonly type: Type;
  readonly code: Code;
  /** What it is, when the emitter knows: constants, and what follows from constants alone. */
  readonly constant?: number | bigint;
}

export const typeCode: Record<Type, number> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };

export function leb(n: number | bigint): number[] {
  if (typeof n === 'number' && n >= -64 && n < 64) return [n & 0x7f];
  if (typeof n === 'number' && n === (n | 0)) return leb32(n);
  let v = BigInt(n);
  const out: number[] = [];
  for (;;) {
    const byte = Number(v & 0x7fn);
    v >>= 7n;
    if ((v === 0n && !(byte & 0x40)) || (v === -1n && byte & 0x40)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

function leb32(n: number): number[] {
  const out: number[] = [];
  for (;;) {
    const byte = n & 0x7f;
    n >>= 7;
    if ((n === 0 && !(byte & 0x40)) || (n === -1 && byte & 0x40)) {
      out.push(byte);
      return out;
    }
    out.push(byte | 0x80);
  }
}

export function uleb(n: number): number[] {
  if (n >= 0 && n < 0x80) return [n];
  const out: number[] = [];
  for (;;) {
    const byte = n & 0x7f;
    n >>>= 7;
    if (n === 0) return [...out, byte];
    out.push(byte | 0x80);
  }
}

export const i32 = (n: number): Value => ({ type: 'i32', code: [0x41, ...leb(n | 0)], constant: n | 0 });
export function i64(n: bigint | number): Value {
  if (typeof n === 'number' && Number.isSafeInteger(n)) return { type: 'i64', code: [0x42, ...leb(n)], constant: BigInt(n) };
  const constant = BigInt.asIntN(64, BigInt(n));
  return { type: 'i64', code: [0x42, ...leb(constant)], constant };
}
/** A constant of the same type as another value. */
export const like = (v: Value, n: number | bigint): Value => (v.type === 'i32' ? i32(Number(BigInt.asIntN(32, BigInt(n)))) : i64(n));

function binary(op32: number, op64: number, result?: Type, fold32?: (a: number, b: number) => number) {
  return (a: Value, b: Value): Value => {
    if (a.type !== b.type) throw new Error(`wasm: operands of unlike types ${a.type} and ${b.type}`);
    if (fold32 && typeof a.constant === 'number' && typeof b.constant === 'number') return i32(fold32(a.constant, b.constant));
    return { type: result ?? a.type, code: [a.code, b.code, a.type === 'i32' ? op32 : op64] };
  };
}

export const add = binary(0x6a, 0x7c, undefined, (a, b) => a + b);
export const sub = binary(0x6b, 0x7d, undefined, (a, b) => a - b);
export const mul = binary(0x6c, 0x7e);
export const divS = binary(0x6d, 0x7f);
export const divU = binary(0x6e, 0x80);
export const remS = binary(0x6f, 0x81);
export const remU = binary(0x70, 0x82);
export const and = binary(0x71, 0x83, undefined, (a, b) => a & b);
export const or = binary(0x72, 0x84);
export const xor = binary(0x73, 0x85);
export const shl = binary(0x74, 0x86, undefined, (a, b) => a << b);
export const shrS = binary(0x75, 0x87);
export const shrU = binary(0x76, 0x88);
export const rotl = binary(0x77, 0x89);
export const rotr = binary(0x78, 0x8a);
export const eq = binary(0x46, 0x51, 'i32');
export const ne = binary(0x47, 0x52, 'i32');
export const ltS = binary(0x48, 0x53, 'i32');
export const ltU = binary(0x49, 0x54, 'i32');
export const gtS = binary(0x4a, 0x55, 'i32');
export const gtU = binary(0x4b, 0x56, 'i32');
export const leS = binary(0x4c, 0x57, 'i32');
export const leU = binary(0x4d, 0x58, 'i32');
export const geS = binary(0x4e, 0x59, 'i32');
export const geU = binary(0x4f, 0x5a, 'i32');

function unary(op32: number, op64: number, result?: Type) {
  return (a: Value): Value => ({ type: result ?? a.type, code: [a.code, a.type === 'i32' ? op32 : op64] });
}

export const eqz = unary(0x45, 0x50, 'i32');
export const clz = unary(0x67, 0x79);
export const ctz = unary(0x68, 0x7a);
export const popcnt = unary(0x69, 0x7b);
export const extend8 = unary(0xc0, 0xc2);
export const extend16 = unary(0xc1, 0xc3);
/** i64 to i32. */
export const wrap = (a: Value): Value => (a.type === 'i32' ? a : { type: 'i32', code: [a.code, 0xa7] });
/** i32 to i64, by sign or by zero; an i64 stays. */
export const signed64 = (a: Value): Value => (a.type === 'i64' ? a : { type: 'i64', code: [a.code, 0xac] });
export const unsigned64 = (a: Value): Value => (a.type === 'i64' ? a : { type: 'i64', code: [a.code, 0xad] });
export const select = (condition: Value, a: Value, b: Value): Value => ({ type: a.type, code: [a.code, b.code, condition.code, 0x1b] });
export const not = (a: Value): Value => xor(a, like(a, -1));

function load(type: Type, op: number) {
  return (address: Value, offset = 0): Value => ({ type, code: [address.code, op, 0, ...uleb(offset)] });
}
export const load32 = load('i32', 0x28);
export const load64 = load('i64', 0x29);
export const load8u = load('i32', 0x2d);
export const load16u = load('i32', 0x2f);
export const load32s64 = load('i64', 0x34);
export const load32u64 = load('i64', 0x35);
export const loadV = (address: Value, offset = 0): Value => ({ type: 'v128', code: [address.code, 0xfd, 0, 0, ...uleb(offset)] });

function store(op: number) {
  return (address: Value, value: Value, offset = 0): Code => [address.code, value.code, op, 0, ...uleb(offset)];
}
export const store32 = store(0x36);
export const store64 = store(0x37);
export const store8 = store(0x3a);
export const store16 = store(0x3b);
export const storeV = (address: Value, value: Value, offset = 0): Code => [address.code, value.code, 0xfd, 11, 0, ...uleb(offset)];

/** Fills bytes of memory: `memory.fill`. */
export const fill = (address: Value, byte: Value, length: Value): Code => [address.code, byte.code, length.code, 0xfc, 11, 0];

/** A SIMD operation by its number in the 0xfd space. */
export const simd = (op: number, type: Type, ...operands: Value[]): Value => ({ type, code: [...operands.map((v) => v.code), 0xfd, ...uleb(op)] });
