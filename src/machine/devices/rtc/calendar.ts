/** Conversions between seconds since 1970 and the clock's registers (Motorola MC146818A; all years are four digits here). */

/** Register numbers, in the order of `Fields`. */
export const TIME_REGISTERS = [0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09] as const;
/** The ACPI FADT names this register as the century. */
export const CENTURY = 0x32;

/** Register B: 24-hour and binary modes. */
export const HOURS_24 = 2;
export const BINARY = 4;
/** Bit 7 of an hour in 12-hour mode. */
const PM = 0x80;

const toBcd = (v: number): number => (Math.floor(v / 10) << 4) | (v % 10);
const fromBcd = (v: number): number => (v >> 4) * 10 + (v & 15);

export function encode(value: number, registerB: number): number {
  return (registerB & BINARY) !== 0 ? value : toBcd(value);
}

export function decode(value: number, registerB: number): number {
  return (registerB & BINARY) !== 0 ? value : fromBcd(value);
}

function encodeHours(hours: number, registerB: number): number {
  if ((registerB & HOURS_24) !== 0) return encode(hours, registerB);
  return encode(hours % 12 === 0 ? 12 : hours % 12, registerB) | (hours >= 12 ? PM : 0);
}

function decodeHours(value: number, registerB: number): number {
  if ((registerB & HOURS_24) !== 0) return decode(value, registerB);
  return (decode(value & 0x7f, registerB) % 12) + ((value & PM) !== 0 ? 12 : 0);
}

/** Seconds, minutes, hours, day of week (Sunday is 1), day, month, year, century, as register contents. */
export function timeRegisters(seconds: number, registerB: number): { registers: number[]; century: number } {
  const d = new Date(seconds * 1000);
  const year = d.getUTCFullYear();
  const e = (v: number): number => encode(v, registerB);
  return {
    registers: [
      e(d.getUTCSeconds()),
      e(d.getUTCMinutes()),
      encodeHours(d.getUTCHours(), registerB),
      e(d.getUTCDay() + 1),
      e(d.getUTCDate()),
      e(d.getUTCMonth() + 1),
      e(year % 100),
    ],
    century: e(Math.floor(year / 100)),
  };
}

/** The opposite; the day of the week is not used. */
export function secondsOf(registers: readonly number[], century: number, registerB: number): number {
  const [s, min, h, , day, month, year] = registers as [number, number, number, number, number, number, number];
  const d = (v: number): number => decode(v, registerB);
  return Math.floor(Date.UTC(d(century) * 100 + d(year), d(month) - 1, d(day), decodeHours(h, registerB), d(min), d(s)) / 1000);
}

/**
 * The first second after `from` that the alarm in registers 1, 3 and 5 matches (C0h-FFh is "any"); it repeats daily. An
 * alarm that is no time of day never comes: Infinity.
 */
export function nextAlarm(from: number, registers: readonly number[]): number {
  const b = registers[0x0b]!;
  const [s, m, h] = [registers[1]!, registers[3]!, registers[5]!];
  const second = s >= 0xc0 ? -1 : decode(s, b);
  const minute = m >= 0xc0 ? -1 : decode(m, b);
  const hour = h >= 0xc0 ? -1 : decodeHours(h, b);
  for (let t = from + 1; t <= from + 86_400;) {
    if (hour >= 0 && Math.floor(t / 3600) % 24 !== hour) t += 3600 - (t % 3600);
    else if (minute >= 0 && Math.floor(t / 60) % 60 !== minute) t += 60 - (t % 60);
    else if (second >= 0 && t % 60 !== second) t++;
    else return t;
  }
  return Infinity;
}
