import type { Code, Value } from '../wasm/value.ts';
import * as w from '../wasm/value.ts';

/** A vector operand: a register, or translated memory. Offsets `k` are bytes in the operand. */
export class VectorPlace {
  readonly address: Value;
  readonly offset: number;
  readonly memory: boolean;

  constructor(address: Value, offset: number, memory: boolean) {
    this.address = address;
    this.offset = offset;
    this.memory = memory;
  }

  v128(k = 0): Value {
    return w.loadV(this.address, this.offset + k);
  }
  i64(k = 0): Value {
    return w.load64(this.address, this.offset + k);
  }
  i32(k = 0): Value {
    return w.load32(this.address, this.offset + k);
  }
  i16(k = 0): Value {
    return w.load16u(this.address, this.offset + k);
  }
  i8(k = 0): Value {
    return w.load8u(this.address, this.offset + k);
  }
  setV128(v: Value, k = 0): Code {
    return w.storeV(this.address, v, this.offset + k);
  }
  set64(v: Value, k = 0): Code {
    return w.store64(this.address, v, this.offset + k);
  }
  set32(v: Value, k = 0): Code {
    return w.store32(this.address, v, this.offset + k);
  }
  set16(v: Value, k = 0): Code {
    return w.store16(this.address, v, this.offset + k);
  }
  set8(v: Value, k = 0): Code {
    return w.store8(this.address, v, this.offset + k);
  }
}
