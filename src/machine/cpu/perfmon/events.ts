/**
 * What the counters count, SDM Vol. 3, 20.2.1.2 and table 20-1, from two numbers: the cycles that passed (ticks of this CPU, which has
 * none while it is halted) and the instructions that retired in them. The reference clock ticks at the same rate.
 */

/** Bits of IA32_PERFEVTSELx: SDM Vol. 3, figures 20-1 and 20-7. */
export const Select = { USR: 1 << 16, OS: 1 << 17, EDGE: 1 << 18, PC: 1 << 19, INT: 1 << 20, ANY: 1 << 21, EN: 1 << 22, INV: 1 << 23 } as const;

/** Event select in bits 7:0, unit mask in bits 15:8. */
export const Event = { cycles: 0x003c, instructions: 0x00c0, reference: 0x013c } as const;
const counted: ReadonlySet<number> = new Set(Object.values(Event));

/** The events of the fixed counters, in order. */
export const FIXED_EVENTS = [Event.instructions, Event.cycles, Event.reference] as const;

export const isCounted = (select: number): boolean => counted.has(select & 0xffff) && (select & Select.EDGE) === 0;

/**
 * What a counter adds. With a counter mask it counts the cycles in which at least that many events occurred, inverted those in which
 * fewer did; here a cycle has at most one.
 */
export function amount(select: number, cycles: number, instructions: number): number {
  if (!isCounted(select)) return 0;
  const events = (select & 0xffff) === Event.instructions ? instructions : cycles;
  const mask = select >>> 24;
  if (mask === 0) return events;
  const met = mask === 1 ? events : 0;
  return (select & Select.INV) !== 0 ? cycles - met : met;
}
