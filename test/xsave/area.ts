import { CR4, type Cpu } from '../../src/machine/cpu/cpu.ts';
import { ABANDONED, GuestFault } from '../../src/machine/cpu/fault.ts';
import type { Insn } from '../../src/machine/cpu/isa/insn.ts';
import * as L from '../../src/machine/cpu/layout.ts';
import type { CpuModel } from '../../src/machine/cpu/models/model.ts';
import { skylake } from '../../src/machine/cpu/models/skylake.ts';
import { xsaveInstructions } from '../../src/machine/cpu/xsave/index.ts';
import { memoryInsn } from '../support/insn.ts';
import { World, type Mode } from '../system/world.ts';

export const AREA = 0x1_0000;

export const FULL = ['xsave', 'xsaveopt', 'xsavec', 'xgetbv1', 'xsaves', 'avx'];

/** Left out, unless asked for. */
const OTHERS = ['mpx'];

/** Skylake with exactly these of the features that matter here. */
export const modelWith = (features: readonly string[]): CpuModel => ({
  ...skylake,
  features: new Set([...[...skylake.features].filter((f) => !FULL.includes(f) && !OTHERS.includes(f)), ...features]),
});

/** A CPU with all of XSAVE and AVX enabled, its state in the initial configuration, and an area of memory. */
export class Bench {
  readonly world: World;
  readonly cpu: Cpu;

  constructor(options: { readonly features?: readonly string[]; readonly mode?: Mode; readonly cpl?: number } = {}) {
    this.world = new World(options.mode ?? 'long', options.cpl ?? 0, modelWith(options.features ?? FULL));
    this.cpu = this.world.cpu;
    this.cpu.cr4 |= BigInt(CR4.OSFXSR | CR4.OSXSAVE);
    this.cpu.setU64(L.XCR0, 7n);
    this.initialize();
    for (let n = 0; n < 1024; n++) this.world.write(AREA + n, 1, 0xeen);
  }

  /** The initial state of every component: SDM Vol. 1, 13.6. */
  initialize(): void {
    const { cpu } = this;
    cpu.setU32(L.FCW, 0x37f);
    cpu.setU32(L.FSW, 0);
    cpu.setU32(L.FTW, 0xffff);
    cpu.setU32(L.MXCSR, 0x1f80);
    cpu.m.u8.fill(0, cpu.block + L.VECTORS, cpu.block + L.VECTORS + 512);
    cpu.m.u8.fill(0, cpu.block + L.FPR, cpu.block + L.FPR + 128);
  }

  /** Values in every component. */
  fill(): void {
    const { cpu } = this;
    cpu.setU32(L.FCW, 0x27f);
    cpu.setU32(L.FTW, 0);
    cpu.setU32(L.MXCSR, 0x3f80);
    for (let n = 0; n < 64; n++) cpu.setU64(L.VECTORS + n * 8, BigInt(0x1000 + n));
    for (let n = 0; n < 8; n++) cpu.setU64(L.FPR + n * 16, BigInt(0x2000 + n));
  }

  setMask(mask: bigint): void {
    this.cpu.setGpr(0, mask & 0xffff_ffffn);
    this.cpu.setGpr(2, mask >> 32n);
  }

  /** Runs an instruction on the area with a mask in EDX:EAX: 'ok' or the fault's name. A fault must not change the area. */
  run(name: string, mask = 7n, at = AREA, fields: Partial<Insn> = {}): string {
    const { cpu } = this;
    this.setMask(mask);
    const image = (): string => {
      cpu.cr2 = 0n; // a page fault's own business
      return `${cpu.m.u8.slice(cpu.block, cpu.block + 0x1000).join()} ${this.bytes(0, 1024).join()}`;
    };
    const before = image();
    try {
      xsaveInstructions[name]!(cpu, memoryInsn(name, BigInt(at), { mode: cpu.code64 ? 64 : 32, addrsize: cpu.code64 ? 64 : 32, rex: 0, ...fields }));
      return 'ok';
    } catch (e) {
      if (e === ABANDONED || !(e instanceof GuestFault)) throw e;
      if (image() !== before) throw new Error(`${name}: the fault changed the state`, { cause: e });
      return { 6: '#UD', 7: '#NM', 13: '#GP', 14: '#PF' }[e.vector] ?? `vector ${e.vector}`;
    }
  }

  u64(offset: number): bigint {
    return this.world.read(AREA + offset, 8);
  }
  setU64(offset: number, value: bigint): void {
    this.world.write(AREA + offset, 8, value);
  }
  bytes(from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, n) => Number(this.world.read(AREA + from + n, 1)));
  }
  /** A header as software makes it. */
  header(state: bigint, layout = 0n): void {
    for (let n = 0; n < 64; n += 8) this.setU64(512 + n, 0n);
    this.setU64(512, state);
    this.setU64(520, layout);
  }
}
