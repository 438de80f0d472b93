/** Exception flags, in the order that MXCSR and the x87 status word share: SDM Vol. 1, 4.9.1, 8.1.3 and 10.2.3. */
export const Exception = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32 } as const;
/** Those found before the result is computed: unmasked, they keep the others from being looked for (SDM Vol. 1, 4.9.2). */
const BEFORE = Exception.IE | Exception.DE | Exception.ZE;

/** Rounding control as FCW and MXCSR encode it: SDM Vol. 1, table 4-8. */
export const Rounding = { nearest: 0, down: 1, up: 2, zero: 3 } as const;

/** What an operation depends on beside its operands, and the exceptions it raises. One object serves many operations. */
export class FloatEnvironment {
  /** x87 rules: which NaN is the result, wrapped results of unmasked overflow and underflow. Otherwise those of SSE. */
  readonly x87: boolean;
  /** One of `Rounding`. */
  rounding: number = Rounding.nearest;
  /** Exceptions that are masked, as in `Exception`. */
  masks = 0x3f;
  /** Significant bits of results in double extended precision: 24, 53 or 64 (SDM Vol. 1, 8.1.5.2). */
  precision = 64;
  /** Denormals are zeros, and tiny results are flushed to zero (SDM Vol. 1, 10.2.3.3 and 10.2.3.4). */
  daz = false;
  ftz = false;
  /** Exceptions raised since the caller last cleared them. */
  flags = 0;
  /** Whether the last rounding went away from zero: C1 of x87. */
  roundedUp = false;

  constructor(rules: 'sse' | 'x87') {
    this.x87 = rules === 'x87';
  }

  /** Begins an operation by MXCSR. */
  useMxcsr(mxcsr: number): this {
    this.rounding = (mxcsr >> 13) & 3;
    this.masks = (mxcsr >> 7) & 0x3f;
    this.daz = (mxcsr & 0x40) !== 0;
    this.ftz = (mxcsr & 0x8000) !== 0;
    this.flags = 0;
    this.roundedUp = false;
    return this;
  }

  /** Begins an operation by the x87 control word; the reserved precision 1 is 64 bits too. */
  useControlWord(fcw: number): this {
    this.rounding = (fcw >> 10) & 3;
    this.masks = fcw & 0x3f;
    const precision = (fcw >> 8) & 3;
    this.precision = precision === 0 ? 24 : precision === 2 ? 53 : 64;
    this.flags = 0;
    this.roundedUp = false;
    return this;
  }

  /** True once an exception that comes before the computation is unmasked: the rest of the operation does not happen. */
  get stopped(): boolean {
    return (this.flags & ~this.masks & BEFORE) !== 0;
  }

  /** The flags that count: an unmasked exception before the computation leaves no others (for a packed operation, of any element). */
  get settled(): number {
    return this.stopped ? this.flags & BEFORE : this.flags;
  }
}
