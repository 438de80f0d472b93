/** The firmware on a fake machine: services are called as guest code calls them, and guest functions are played by the test. */
import { Firmware } from '../../src/machine/uefi/firmware.ts';
import { guidBytes } from '../../src/machine/uefi/guids.ts';
import { linearAccess } from '../../src/machine/uefi/call/linear-access.ts';
import type { CallerAccess } from '../../src/machine/uefi/call/access.ts';
import type { FirmwareOptions } from '../../src/machine/uefi/context.ts';
import { littleEndian, utf16Bytes } from '../../src/machine/uefi/pack.ts';
import { statusName } from '../../src/machine/uefi/status.ts';
import { ABANDONED } from '../../src/machine/cpu/fault.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { fakeMachine, type FakeMachine } from '../support/fake-machine.ts';

/** Guest memory that tests use freely: below 1 MiB, away from the firmware. */
export const SCRATCH = 0x2_0000;
export const STACK = 0x8_0000;
export const RETURN = 0x1_2340n;

const [RAX, RCX, RDX, RSP, R8, R9] = [0, 1, 2, 4, 8, 9];

/** Fails the nth access with ABANDONED; -1 never. Writes must have been probed: they come after the state has changed. */
export class FaultyAccess implements CallerAccess {
  failAt = -1;
  /** In the present step. */
  probed: { readonly at: bigint; readonly length: number }[] = [];
  count = 0;
  #step(): void {
    if (this.count++ === this.failAt) throw ABANDONED;
  }
  read(cpu: Cpu, at: bigint, length: number): Uint8Array {
    this.#step();
    return linearAccess.read(cpu, at, length);
  }
  write(cpu: Cpu, at: bigint, bytes: Uint8Array): void {
    const end = at + BigInt(bytes.length);
    if (!this.probed.some((p) => p.at <= at && end <= p.at + BigInt(p.length))) throw new Error(`write to 0x${at.toString(16)} that was not probed`);
    linearAccess.write(cpu, at, bytes);
  }
  probe(cpu: Cpu, at: bigint, length: number): void {
    this.#step();
    this.probed.push({ at, length });
    linearAccess.probe(cpu, at, length);
  }
}

export class Bench {
  readonly machine: FakeMachine;
  readonly fw: Firmware;
  readonly access = new FaultyAccess();
  readonly cpu: Cpu;
  output = '';
  /** A local APIC page that only remembers, by register offset. */
  readonly lapic = new Map<number, number>();
  #next = SCRATCH;

  constructor(options: FirmwareOptions = {}, ramSize = 32 << 20, cpus = 1) {
    this.machine = fakeMachine({ ramSize, cpus });
    this.machine.memory.mapMmio({
      name: 'local APIC',
      base: 0xfee0_0000,
      length: 0x1000,
      read: (offset) => this.lapic.get(offset) ?? 0,
      write: (offset, _size, value) => void this.lapic.set(offset, value),
    });
    const console = { write: (bytes: Uint8Array) => void (this.output += new TextDecoder().decode(bytes)) };
    this.fw = new Firmware(this.machine, { access: this.access, console, ...options });
    this.cpu = this.machine.cpu;
    this.fw.setUp(this.cpu);
    this.cpu.setGpr(RSP, BigInt(STACK));
  }

  /** Places bytes in scratch memory; gives their address. */
  put(bytes: Uint8Array | number): number {
    const at = this.#next;
    const data = typeof bytes === 'number' ? new Uint8Array(bytes) : bytes;
    this.#next += Math.ceil(data.length / 16) * 16 + 16;
    this.fw.memory.write(at, data);
    return at;
  }
  text(s: string): number {
    return this.put(utf16Bytes(s));
  }
  guid(g: string): number {
    return this.put(guidBytes(g));
  }
  /** A 64-bit variable. */
  cell(value: number | bigint = 0): number {
    return this.put(littleEndian(value, 8));
  }
  u64(at: number): number {
    return Number(this.fw.memory.u64(at));
  }
  bytes(at: number, length: number): Uint8Array {
    return this.fw.memory.read(at, length);
  }

  /** Sets registers and stack as a CALL to a service does. */
  prepare(name: string, args: readonly (number | bigint)[]): void {
    const rsp = this.cpu.gpr(RSP!) - 0x88n;
    const home = Number(rsp);
    this.fw.memory.write(home, littleEndian(RETURN, 8));
    args.forEach((v, n) => {
      const value = BigInt.asUintN(64, BigInt(v));
      if (n < 4) this.cpu.setGpr([RCX, RDX, R8, R9][n]!, value);
      else this.fw.memory.write(home + 0x28 + (n - 4) * 8, littleEndian(value, 8));
    });
    this.cpu.setGpr(RSP!, rsp);
    this.cpu.rip = BigInt(this.fw.slot(name));
  }

  /** Executes the trap at RIP. */
  step(): void {
    this.access.probed = [];
    this.fw.trap(this.cpu, Number(this.cpu.rip));
  }

  /** Calls a service that returns; gives RAX. */
  raw(name: string, ...args: (number | bigint)[]): bigint {
    const before = this.cpu.gpr(RSP!);
    this.prepare(name, args);
    this.step();
    if (this.cpu.rip !== RETURN) throw new Error(`${name} did not return: RIP is 0x${this.cpu.rip.toString(16)}`);
    this.cpu.setGpr(RSP!, before);
    return this.cpu.gpr(RAX!);
  }
  /** Calls a service; gives the name of its status. */
  call(name: string, ...args: (number | bigint)[]): string {
    return statusName(this.raw(name, ...args));
  }

  /** Where the firmware went instead of returning: 'guest' code, or the name of a stub or trap. */
  get at(): string {
    return this.fw.serviceAt(Number(this.cpu.rip)) ?? `0x${this.cpu.rip.toString(16)}`;
  }
  /** Plays the guest function at RIP: it returns with RAX. */
  returnFromGuest(rax: bigint = 0n): void {
    const rsp = this.cpu.gpr(RSP!);
    this.cpu.rip = this.fw.memory.u64(Number(rsp));
    this.cpu.setGpr(RSP!, rsp + 8n);
    this.cpu.setGpr(RAX!, rax);
    this.step();
  }
}

export const OK = 'EFI_SUCCESS';
