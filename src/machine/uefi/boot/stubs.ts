import { littleEndian } from '../pack.ts';

/**
 * The firmware's real instructions, where a VMM must see some: the timer interrupt with its EOI, waiting with HLT, the
 * delay loop. Everything else is a trap. One comment per instruction.
 */
export interface Stub {
  readonly name: string;
  /** Bytes at an address; `slot` gives a trap's address. */
  assemble(at: number, slot: (name: string) => number): number[];
}

/** Displacement of a CALL or JMP rel32 whose last byte ends at `end`. */
const rel32 = (target: number, end: number): number[] => [...littleEndian(BigInt.asUintN(32, BigInt(target - end)), 4)];

/** Writing 0 to the local APIC's EOI register, through a register: SDM Vol. 3, 11.8.5. */
const endOfInterrupt = [
  [0xb9, 0xb0, 0x00, 0xe0, 0xfe], // mov ecx, 0xfee000b0
  [0x31, 0xc0], //                   xor eax, eax
  [0x89, 0x01], //                   mov [rcx], eax
].flat();

/**
 * The EOI comes before the tick's work, as in EDK II: notification functions run with interrupts on, and the next tick must get through
 * to them. The general registers that a call may change are saved; vector registers are the trap's affair.
 */
const timer: Stub = {
  name: 'timer interrupt',
  assemble(at, slot) {
    const before = [
      [0x50], //                   push rax
      [0x51], //                   push rcx
      [0x52], //                   push rdx
      [0x41, 0x50], //             push r8
      [0x41, 0x51], //             push r9
      [0x41, 0x52], //             push r10
      [0x41, 0x53], //             push r11
      [0x55], //                   push rbp
      [0x48, 0x89, 0xe5], //       mov rbp, rsp
      [0x48, 0x83, 0xe4, 0xf0], // and rsp, -16
      [0xfc], //                   cld
      endOfInterrupt,
    ].flat();
    return [
      before,
      [0xe8, ...rel32(slot('Tick'), at + before.length + 5)], // call Tick
      [0x48, 0x89, 0xec], //       mov rsp, rbp
      [0x5d], //                   pop rbp
      [0x41, 0x5b], //             pop r11
      [0x41, 0x5a], //             pop r10
      [0x41, 0x59], //             pop r9
      [0x41, 0x58], //             pop r8
      [0x5a], //                   pop rdx
      [0x59], //                   pop rcx
      [0x58], //                   pop rax
      [0x48, 0xcf], //             iretq
    ].flat();
  },
};

/** Any other interrupt: acknowledged and forgotten. */
const otherInterrupt: Stub = {
  name: 'other interrupt',
  assemble: () =>
    [
      [0x50], //       push rax
      [0x51], //       push rcx
      endOfInterrupt,
      [0x59], //       pop rcx
      [0x58], //       pop rax
      [0x48, 0xcf], // iretq
    ].flat(),
};

const halt: Stub = {
  name: 'halt',
  assemble: () => [
    0xfa, //       cli
    0xf4, //       hlt
    0xeb, 0xfc, // jmp to the cli
  ], // prettier-ignore
};

/** STI's shadow lets no interrupt in between STI and HLT; the trap then looks again. */
const idleFor = (name: string, trap: string): Stub => ({
  name,
  assemble: (at, slot) => [
    0xfb, // sti
    0xf4, // hlt
    0xe9, ...rel32(slot(trap), at + 7), // jmp trap
  ], // prettier-ignore
});

/** R11 turns of three instructions. */
const spin: Stub = {
  name: 'stall spin',
  assemble: (at, slot) => [
    0xf3, 0x90, //       pause
    0x49, 0xff, 0xcb, // dec r11
    0x75, 0xf9, //       jnz to the pause
    0xe9, ...rel32(slot('Stall.again'), at + 12), // jmp Stall.again
  ], // prettier-ignore
};

const stubs: readonly Stub[] = [
  timer,
  otherInterrupt,
  halt,
  spin,
  idleFor('stall halt', 'Stall.again'),
  idleFor('idle WaitForEvent.again', 'WaitForEvent.again'),
  idleFor('idle BootManager', 'BootManager'),
];

const ALIGN = 16;

export interface PlacedStub {
  readonly name: string;
  readonly address: number;
  readonly bytes: Uint8Array;
}

export function placeStubs(base: number, slot: (name: string) => number): PlacedStub[] {
  let at = base;
  return stubs.map((s) => {
    const bytes = Uint8Array.from(s.assemble(at, slot));
    const placed = { name: s.name, address: at, bytes };
    at += Math.ceil(bytes.length / ALIGN) * ALIGN;
    return placed;
  });
}
