import type { Cpu } from '../../cpu/cpu.ts';
import { gp } from '../../cpu/fault.ts';
import type { FirmwareContext } from '../context.ts';
import { littleEndian, utf16Text } from '../pack.ts';

/** RAX RCX RDX RBX RSP RBP RSI RDI by encoding. */
export const Gpr = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7, r8: 8, r9: 9, r10: 10, r11: 11 } as const;

/** Larger reads touch every page first: a wild length must end in the guest's page fault, not in a huge host allocation. */
const TOUCH_FIRST = 16 << 20;

/**
 * One call of a service, by the Microsoft x64 convention (UEFI 2.10, 2.3.4.2). Memory of the caller is read and probed
 * before the firmware's state changes, because any access may fault and the call then starts over; what `write` was given
 * is written when the service is done.
 */
export class Call {
  readonly fw: FirmwareContext;
  readonly cpu: Cpu;
  /** For observers: the service's name. */
  readonly service: string;
  /** RSP on entry: points at the return address. */
  readonly stack: bigint;
  #returnTo: bigint | undefined;
  readonly #writes: { readonly at: bigint; readonly bytes: Uint8Array }[] = [];

  constructor(fw: FirmwareContext, cpu: Cpu, service: string) {
    this.fw = fw;
    this.cpu = cpu;
    this.service = service;
    this.stack = cpu.rsp;
  }

  get returnTo(): bigint {
    if (this.#returnTo === undefined) {
      this.#returnTo = this.u64(this.stack);
      if (!this.cpu.canonical(this.#returnTo)) throw gp();
    }
    return this.#returnTo;
  }

  /** Argument n: RCX RDX R8 R9, then the stack above the return address and the 32 bytes of home space. */
  argument(n: number): bigint {
    if (n < 4) return this.cpu.gpr([Gpr.rcx, Gpr.rdx, Gpr.r8, Gpr.r9][n]!);
    return this.u64(this.stack + 0x28n + BigInt(n - 4) * 8n);
  }

  read(at: bigint | number, length: number): Uint8Array {
    const from = BigInt(at);
    if (length > TOUCH_FIRST) for (let n = 0; n < length; n += 4096) this.fw.access.read(this.cpu, from + BigInt(n), 1);
    return this.fw.access.read(this.cpu, from, length);
  }
  u64(at: bigint | number): bigint {
    const b = this.read(at, 8);
    return new DataView(b.buffer, b.byteOffset, 8).getBigUint64(0, true);
  }
  /** CHAR16 text up to its zero. */
  text(at: bigint, limit = 0x1_0000): string {
    const bytes: number[] = [];
    for (let n = 0; n < limit; n++) {
      const unit = this.read(at + BigInt(n) * 2n, 2);
      if (unit[0] === 0 && unit[1] === 0) break;
      bytes.push(unit[0]!, unit[1]!);
    }
    return utf16Text(Uint8Array.from(bytes));
  }

  probe(at: bigint | number, length: number): void {
    if (length > 0) this.fw.access.probe(this.cpu, BigInt(at), length);
  }
  write(at: bigint | number, bytes: Uint8Array): void {
    this.probe(at, bytes.length);
    this.writeLater(at, bytes);
  }
  /** For memory that was probed before the state changed. */
  writeLater(at: bigint | number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#writes.push({ at: BigInt(at), bytes });
  }
  writeValue(at: bigint | number, value: number | bigint, size = 8): void {
    this.write(at, littleEndian(value, size));
  }
  commit(): void {
    for (const { at, bytes } of this.#writes) this.fw.access.write(this.cpu, at, bytes);
    this.#writes.length = 0;
  }

  /** Returns to the caller with RAX = value, as a RET does. */
  finish(value: bigint): void {
    this.commit();
    this.cpu.setGpr(Gpr.rax, value);
    this.cpu.rsp = this.stack + 8n;
    this.cpu.rip = this.returnTo;
  }
}
