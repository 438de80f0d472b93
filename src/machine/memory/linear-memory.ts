import { PAGE_SIZE, RAM } from './layout.ts';

/** The linear memory and typed views of it. It never grows, so the views stay valid. */
export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  readonly view: DataView;
  readonly ramSize: number;

  /** @param ramSize guest RAM in bytes, a multiple of 4 KiB */
  constructor(ramSize: number) {
    const pages = Math.ceil((RAM + ramSize + PAGE_SIZE) / 0x1_0000);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.view = new DataView(buffer);
    this.ramSize = ramSize;
  }
}
