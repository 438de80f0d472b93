import { FORM_MODRM, FORM_RESULT, FORMS, RECORD_SIZE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import * as L from '../layout.ts';
import { FunctionBuilder } from '../wasm/function.ts';
import { buildModule } from '../wasm/module.ts';
import type { Value } from '../wasm/value.ts';
import { add, and, eq, eqz, gtU, i32, load32, load8u, ltS, ltU, mul, ne, or, select, shl, shrS, shrU, store32, sub, xor } from '../wasm/value.ts';
import { Form } from './form.ts';
import { REC_A, REC_DISP, REC_IMM, REC_OP } from './record.ts';

/** What the loop returns when it stopped at an instruction that has no form or for want of room or bytes; else a slot: */
export const STOPPED = -1;
/** of a branch, with this bit; or that of an instruction whose form is not known yet. */
export const BRANCH = 0x1_0000;

/**
 * Writes records from `record` on for the instructions at `at`, while they have forms, up to a branch.
 * @param last the last address at which an instruction may begin
 * @param page address of offset 0 of the page
 * @param room at most so many instructions
 */
export type FormLoop = (at: number, last: number, page: number, record: number, room: number) => number;

/** In FORM_MODRM: SIB follows, or the address is relative to RIP. */
const SPECIAL = 1 << 5;

/**
 * By ModRM byte: bits 0-3 select the form; 4: a memory operand; SPECIAL; 8-12: 32 less the displacement's bits; 16-18: how many bytes
 * ModRM and displacement have; 31: there is a displacement. SDM Vol. 2, table 2-2.
 */
function modrmWord(modrm: number): number {
  const form = ((modrm >> 3) & 7) | (modrm >= 0xc0 ? 8 : 0);
  if (modrm >= 0xc0) return form | (1 << 16);
  const mod = modrm >> 6;
  const relative = mod === 0 && (modrm & 7) === 5;
  const bytes = mod === 1 ? 1 : mod === 2 || relative ? 4 : 0;
  const special = relative || (modrm & 7) === 4 ? SPECIAL : 0;
  return form | 0x10 | special | (((32 - 8 * bytes) & 31) << 8) | ((1 + bytes) << 16) | (bytes > 0 ? 1 << 31 : 0);
}

/** All ones when a bit is set. */
const allIf = (bits: Value, bit: number): Value => sub(i32(0), and(shrU(bits, i32(bit)), i32(1)));

/** Few branches: between instructions that differ they would be hard to predict. */
function emitLoop(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32'], 'i32');
  const [at, last, page, record, room] = [f.param(0), f.param(1), f.param(2), f.param(3), f.param(4)];
  const leave = (result: Value): void => {
    f.do(store32(i32(FORM_RESULT), at));
    f.do(store32(i32(FORM_RESULT), record, 4));
    f.return(result);
  };
  const opcode = f.local('i32'); // its address
  const byte = f.local('i32');
  const slot = f.local('i32');
  f.loop((again) => {
    f.if(or(eqz(room), gtU(at, last)), () => leave(i32(STOPPED)));
    f.set(opcode, at);
    f.set(byte, load8u(at));
    f.set(slot, i32(0));
    f.if(or(eq(byte, i32(0x66)), eq(and(byte, i32(0xfe)), i32(0xf2))), () => {
      f.set(slot, select(eq(byte, i32(0x66)), i32(1 << 5), shl(sub(i32(0xf5), byte), i32(5))));
      f.set(opcode, add(at, i32(1)));
      f.set(byte, load8u(opcode));
    });
    const isRex = f.let(eq(and(byte, i32(0xf0)), i32(0x40)));
    const rex = f.let(and(byte, sub(i32(0), isRex)));
    f.set(opcode, add(opcode, isRex));
    f.set(byte, load8u(opcode));
    f.if(eq(byte, i32(0x0f)), () => {
      f.set(slot, or(slot, i32(0x8000)));
      f.set(opcode, add(opcode, i32(1)));
      f.set(byte, load8u(opcode));
    });
    // Where there is no ModRM byte, sixteen slots get the same form.
    const modrm = f.let(load8u(opcode, 1));
    const known = f.let(load32(shl(modrm, i32(2)), FORM_MODRM));
    f.set(slot, or(or(slot, shl(byte, i32(7))), or(shl(and(rex, i32(8)), i32(1)), and(known, i32(15)))));
    const entry = f.let(shl(slot, i32(4)));
    const form = f.let(load32(entry, FORMS));
    f.if(eqz(and(form, i32(Form.known))), () => leave(select(form, i32(STOPPED), slot)));
    const handler = f.let(load32(entry, FORMS + 4));

    const hasModrm = f.let(allIf(form, 1));
    const info = f.let(and(known, hasModrm));
    const reg = f.let(or(and(modrm, i32(0x38)), shl(and(rex, i32(4)), i32(4))));
    const low = xor(byte, and(xor(byte, modrm), hasModrm));
    const rm = f.let(or(shl(and(low, i32(7)), i32(3)), shl(and(rex, i32(1)), i32(6))));
    const shift = f.let(shrU(info, i32(8)));
    const cut = (v: Value): Value => and(shrS(shl(v, shift), shift), shrS(info, i32(31)));
    const displacement = f.let(cut(load32(opcode, 2)));
    const base = f.let(xor(i32(L.SLOT_ZERO), and(xor(i32(L.SLOT_ZERO), rm), allIf(info, 4))));
    const index = f.let(i32(L.SLOT_ZERO));
    const scale = f.let(i32(0));
    const p = f.let(add(add(opcode, i32(1)), and(shrU(info, i32(16)), i32(7))));
    f.if(and(info, i32(SPECIAL)), () =>
      f.if(
        ne(and(modrm, i32(7)), i32(4)),
        () => f.set(base, i32(L.SLOT_CODE_PAGE)),
        () => {
          // SDM Vol. 2, table 2-3.
          const sib = f.let(load8u(opcode, 2));
          f.set(p, add(p, i32(1)));
          f.set(displacement, cut(load32(opcode, 3)));
          f.set(base, or(shl(and(sib, i32(7)), i32(3)), shl(and(rex, i32(1)), i32(6))));
          f.if(and(ltU(modrm, i32(0x40)), eq(and(sib, i32(7)), i32(5))), () => {
            f.set(base, i32(L.SLOT_ZERO));
            f.set(displacement, load32(opcode, 3));
            f.set(p, add(p, i32(4)));
          });
          const register = f.let(or(and(sib, i32(0x38)), shl(and(rex, i32(2)), i32(5))));
          f.if(ne(register, i32(L.GPR + 4 * 8)), () => {
            f.set(index, register);
            f.set(scale, shl(shrU(sib, i32(6)), i32(28)));
            f.set(handler, shrU(handler, i32(16)));
          });
        },
      ),
    );
    const unused = f.let(shrU(form, i32(Form.immediateShift)));
    const immediate = f.let(and(shrS(shl(load32(p), unused), unused), load32(entry, FORMS + 12)));
    f.set(p, add(p, and(shrU(form, i32(Form.immediateSize)), i32(7))));
    f.if(and(form, i32(Form.uncommon)), () => {
      for (const [bit, register] of [[Form.byteReg, reg], [Form.byteRm, rm]] as const) {
        const high = and(eqz(rex), ltU(i32(3 * 8), register));
        f.if(and(and(form, i32(bit)), sub(i32(0), high)), () => f.set(register, sub(register, i32(4 * 8 - 1))));
      } // prettier-ignore
      const stack = or(eq(base, i32(L.GPR + 4 * 8)), eq(base, i32(L.GPR + 5 * 8)));
      f.if(and(form, i32(Form.segment)), () => f.set(rm, select(stack, i32(L.SS << 3), i32(L.DS << 3))));
      f.if(and(form, i32(Form.wide)), () => {
        f.set(displacement, immediate);
        f.set(immediate, load32(p));
        f.set(p, add(p, i32(4)));
      });
    });
    f.if(eq(base, i32(L.SLOT_CODE_PAGE)), () => {
      const sum = f.let(add(displacement, sub(p, page)));
      f.if(ltS(sum, displacement), () => leave(i32(STOPPED))); // needs an address record
      f.set(displacement, sum);
    });
    const places = f.let(load32(entry, FORMS + 8));
    const fields = add(mul(reg, and(places, i32(0xffff))), mul(rm, shrU(places, i32(16))));
    f.do(store32(record, or(or(and(handler, i32(0xffff)), shl(sub(at, page), i32(16))), scale), REC_OP));
    f.do(store32(record, or(or(fields, shl(base, i32(16))), shl(index, i32(24))), REC_A));
    f.do(store32(record, displacement, REC_DISP));
    f.do(store32(record, immediate, REC_IMM));
    f.set(record, add(record, i32(RECORD_SIZE)));
    f.set(room, sub(room, i32(1)));
    f.set(at, p);
    f.if(and(form, i32(Form.branch)), () => leave(or(slot, i32(BRANCH))));
    f.br(again);
  });
  f.unreachable();
  return f;
}

let compiled: WebAssembly.Module | undefined;

/** The loop on a memory: its module is the same for every machine. */
export function instantiateFormLoop(m: LinearMemory): FormLoop {
  compiled ??= new WebAssembly.Module(buildModule([], { decode: emitLoop() }));
  for (let modrm = 0; modrm < 256; modrm++) m.i32[(FORM_MODRM >> 2) + modrm] = modrmWord(modrm);
  return new WebAssembly.Instance(compiled, { env: { memory: m.memory } }).exports['decode'] as unknown as FormLoop;
}
