import type { Insn } from '../../src/machine/cpu/isa/insn.ts';

/** A decoded instruction for tests of helpers: register form, 64-bit, operand RAX; fields are overridden one by one. */
export function insn(name: string, fields: Partial<Insn> = {}): Insn {
  return {
    name,
    length: 3,
    mode: 64,
    opsize: 64,
    addrsize: 64,
    rep: 0,
    lock: false,
    rex: 0x48,
    opcode: 0,
    modrm: 0xc0,
    reg: 0,
    rm: 0,
    isMemory: false,
    base: -1,
    index: -1,
    scale: 0,
    disp: 0n,
    segment: 3,
    segmentOverride: false,
    imm: 0n,
    imm2: 0,
    ...fields,
  };
}

/** The same with a memory operand at an absolute address in DS. */
export function memoryInsn(name: string, address: bigint, fields: Partial<Insn> = {}): Insn {
  return insn(name, { modrm: 5, isMemory: true, disp: address, ...fields });
}
