/** State of one 8259A. All bits of a byte are the eight inputs IR0..IR7. */
export type PicChipState = {
  lines: number;
  irr: number;
  imr: number;
  isr: number;
  /** Level-triggered inputs: the chipset's ELCR replaces ICW1's LTIM. */
  elcr: number;
  base: number;
  /** Which ICW the data port expects: 0 none, else 2, 3 or 4. */
  step: number;
  icw4: boolean;
  single: boolean;
  cascade: number;
  /** The initialization sequence has been completed at least once: before it the chip requests nothing. */
  ready: boolean;
  autoEoi: boolean;
  rotateOnAutoEoi: boolean;
  specialFullyNested: boolean;
  specialMask: boolean;
  /** IR with the lowest priority; 7 gives the normal order. */
  lowest: number;
  readIsr: boolean;
  poll: boolean;
};

export function powerOnChip(): PicChipState {
  return {
    lines: 0, irr: 0, imr: 0, isr: 0, elcr: 0, base: 0, step: 0, icw4: false, single: false, cascade: 0, ready: false, autoEoi: false,
    rotateOnAutoEoi: false, specialFullyNested: false, specialMask: false, lowest: 7, readIsr: false, poll: false,
  }; // prettier-ignore
}

/**
 * One 8259A interrupt controller (Intel data sheet 231468), the logic alone. An edge-triggered request that goes away
 * before it is acknowledged is lost, as in the chip, and its INTA gives the spurious IR7.
 */
export class PicChip {
  s: PicChipState = powerOnChip();

  setLine(ir: number, asserted: boolean): void {
    const { s } = this;
    const bit = 1 << ir;
    const rising = asserted && (s.lines & bit) === 0;
    s.lines = asserted ? s.lines | bit : s.lines & ~bit;
    if (!asserted) s.irr &= ~bit;
    else if (rising || (s.elcr & bit) !== 0) s.irr |= bit;
  }

  setElcr(value: number): void {
    const { s } = this;
    s.elcr = value;
    s.irr |= s.lines & value;
  }

  /** The IR to be acknowledged, or -1: highest priority that is requested, unmasked and above what is in service. */
  pending(): number {
    const { s } = this;
    const requests = s.irr & ~s.imr;
    if (requests === 0 || !s.ready) return -1;
    // Special mask mode: a masked level in service blocks nobody. Special fully nested: the cascade input may nest.
    const blocking = (s.specialMask ? s.isr & ~s.imr : s.isr) & (s.specialFullyNested ? ~s.cascade : 0xff);
    for (let n = 1; n <= 8; n++) {
      const bit = 1 << ((s.lowest + n) & 7);
      if ((requests & bit) !== 0 && (s.isr & bit & ~(s.specialFullyNested ? s.cascade : 0)) === 0) return (s.lowest + n) & 7;
      if ((blocking & bit) !== 0) return -1;
    }
    return -1;
  }

  /** INTA or a poll: moves the request to in-service. Returns the IR, or -1 when there was none (spurious). */
  acknowledge(): number {
    const { s } = this;
    const ir = this.pending();
    if (ir < 0) return -1;
    const bit = 1 << ir;
    if ((s.elcr & bit) === 0) s.irr &= ~bit;
    if (!s.autoEoi) s.isr |= bit;
    else if (s.rotateOnAutoEoi) s.lowest = ir;
    return ir;
  }

  writeCommand(v: number): void {
    if ((v & 0x10) !== 0) this.#icw1(v);
    else if ((v & 8) !== 0) this.#ocw3(v);
    else this.#ocw2(v);
  }

  writeData(v: number): void {
    const { s } = this;
    if (s.step === 0) {
      s.imr = v; // OCW1
    } else if (s.step === 2) {
      s.base = v & 0xf8;
      s.step = s.single ? (s.icw4 ? 4 : 0) : 3;
    } else if (s.step === 3) {
      s.cascade = v;
      s.step = s.icw4 ? 4 : 0;
    } else {
      s.specialFullyNested = (v & 0x10) !== 0;
      s.autoEoi = (v & 2) !== 0;
      s.step = 0;
    }
    if (s.step === 0) s.ready = true;
  }

  readCommand(): number {
    if (this.s.poll) return this.#pollRead();
    return this.s.readIsr ? this.s.isr : this.s.irr;
  }

  readData(): number {
    return this.s.poll ? this.#pollRead() : this.s.imr;
  }

  /** ICW1 clears the mask, the edge detectors, and the modes; the lines and the ELCR are outside the chip. */
  #icw1(v: number): void {
    const { lines, elcr } = this.s;
    this.s = { ...powerOnChip(), lines, elcr, irr: lines & elcr, step: 2, icw4: (v & 1) !== 0, single: (v & 2) !== 0 };
  }

  #ocw2(v: number): void {
    const { s } = this;
    const rotate = (v & 0x80) !== 0;
    const specific = (v & 0x40) !== 0;
    const ir = v & 7;
    if ((v & 0x20) === 0) {
      if (rotate && specific)
        s.lowest = ir; // set priority
      else if (!specific) s.rotateOnAutoEoi = rotate;
      return;
    }
    const ended = specific ? ir : this.#highestInService();
    if (ended < 0) return;
    s.isr &= ~(1 << ended);
    if (rotate) s.lowest = ended;
  }

  #ocw3(v: number): void {
    const { s } = this;
    if ((v & 0x40) !== 0) s.specialMask = (v & 0x20) !== 0;
    s.poll = (v & 4) !== 0;
    if ((v & 2) !== 0) s.readIsr = (v & 1) !== 0;
  }

  #highestInService(): number {
    const { s } = this;
    for (let n = 1; n <= 8; n++) {
      const ir = (s.lowest + n) & 7;
      const masked = s.specialMask && ((s.imr >> ir) & 1) !== 0; // a non-specific EOI does not clear those
      if (((s.isr >> ir) & 1) !== 0 && !masked) return ir;
    }
    return -1;
  }

  #pollRead(): number {
    this.s.poll = false;
    const ir = this.acknowledge();
    return ir < 0 ? 0 : 0x80 | ir;
  }
}
