import { guidText, type Guid } from '../guids.ts';
import { littleEndian } from '../pack.ts';
import { invalid } from '../status.ts';
import { opaque, type Opaque } from '../state.ts';
import type { Call } from './call.ts';

/**
 * Argument kinds: how one argument of a service comes from the caller. Pointers marked IN are read, pointers marked OUT are
 * probed, all before the service runs; NULL where the specification wants a pointer is EFI_INVALID_PARAMETER.
 */
export interface Arg<T> {
  readonly name: string;
  fetch(call: Call, raw: bigint): T;
}

/** Where a result goes: written when the service is done. Setting a NULL optional result does nothing. */
export interface Out {
  readonly given: boolean;
  set(value: number | bigint | Opaque): void;
}
export interface InOut extends Out {
  readonly value: number;
}

const scalar =
  <T>(convert: (raw: bigint) => T) =>
  (name: string): Arg<T> => ({ name, fetch: (_, raw) => convert(raw) });

export const u8 = scalar((raw) => Number(raw & 0xffn));
export const u16 = scalar((raw) => Number(raw & 0xffffn));
export const u32 = scalar((raw) => Number(raw & 0xffff_ffffn));
export const bool = scalar((raw) => (raw & 0xffn) !== 0n);
/** A size, count, address, handle or event. Beyond 2^53 it loses low bits, keeps its magnitude and matches nothing. */
export const uintn = scalar(Number);
export const u64 = scalar((raw) => raw);
/** A value of the caller's that the firmware only keeps. */
export const kept = scalar(opaque);
/** A pointer that the service handles itself; may be NULL. */
export const pointer = scalar((raw) => raw);

/** A pointer that the service handles itself; not NULL. */
export const buffer = (name: string): Arg<bigint> => ({
  name,
  fetch(_, raw) {
    if (raw === 0n) throw invalid(`${name} is NULL`);
    return raw;
  },
});

export const optionalGuid = (name: string): Arg<Guid | undefined> => ({
  name,
  fetch: (call, raw) => (raw === 0n ? undefined : guidText(call.read(raw, 16))),
});
export const guid = (name: string): Arg<Guid> => ({ name, fetch: (call, raw) => guidText(call.read(buffer(name).fetch(call, raw), 16)) });
/** CHAR16 *, zero-terminated. */
export const text = (name: string): Arg<string> => ({ name, fetch: (call, raw) => call.text(buffer(name).fetch(call, raw)) });

function out(call: Call, at: bigint, size: number): Out {
  call.probe(at, size);
  return {
    given: true,
    set: (value) => call.writeLater(at, littleEndian(BigInt(value), size)),
  };
}
const nowhere: Out = { given: false, set: () => undefined };

const outOf =
  (size: number) =>
  (name: string): Arg<Out> => ({ name, fetch: (call, raw) => out(call, buffer(name).fetch(call, raw), size) });
const optionalOutOf =
  (size: number) =>
  (name: string): Arg<Out> => ({ name, fetch: (call, raw) => (raw === 0n ? nowhere : out(call, raw, size)) });

export const out8 = outOf(1);
export const out32 = outOf(4);
export const out64 = outOf(8);
export const optionalOut32 = optionalOutOf(4);
export const optionalOut64 = optionalOutOf(8);

export const inOut64 = (name: string): Arg<InOut> => ({
  name,
  fetch(call, raw) {
    const value = Number(call.u64(buffer(name).fetch(call, raw)));
    return { value, ...out(call, raw, 8) };
  },
});
