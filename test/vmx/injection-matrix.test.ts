/** Every interruption type, vector and error-code bit, in protected mode, real mode and v8086 mode: SDM Vol. 3, 27.2.1.3 and 27.6. */
import { describe, expect, it } from 'vitest';
import { Secondary } from '../../src/machine/vmx/controls.ts';
import { F } from '../../src/machine/vmx/fields.ts';
import { At, handlerOf, Rig } from './rig.ts';

const [EXTERNAL, RESERVED, NMI, HARDWARE, SOFTWARE, PRIVILEGED, SOFTWARE_EXCEPTION, OTHER] = [0, 1, 2, 3, 4, 5, 6, 7];
const TYPE_NAMES = ['external', 'reserved', 'NMI', 'hardware', 'software', 'privileged software', 'software exception', 'other'];
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const vectors = [...Array.from({ length: 34 }, (_, n) => n), 0x80, 0xff];

/** The SDM's sentences, a second time. */
function legal(type: number, vector: number, code: boolean, protectedMode: boolean): boolean {
  if (type === RESERVED) return false;
  if (type === NMI && vector !== 2) return false;
  if (type === HARDWARE && vector > 31) return false;
  if (type === OTHER && vector !== 0) return false;
  return code === (type === HARDWARE && protectedMode && WITH_CODE.has(vector));
}

const matrix = TYPE_NAMES.flatMap((name, type) => vectors.flatMap((vector) => [false, true].map((code) => [name, vector, code, type] as const)));

describe('64-bit guest', () => {
  it.each(matrix)('%s, vector %d, error code %s', (_, vector, code, type) => {
    const rig = new Rig().ready();
    rig.set(F.guestRflags, 0x202);
    rig.set(F.entryInterruptionInfo, BigInt((0x8000_0000 | (type << 8) | vector | (code ? 0x800 : 0)) >>> 0));
    rig.set(F.entryExceptionErrorCode, 0x1234);
    rig.set(F.entryInstructionLength, 2);
    const outcome = rig.launch();
    if (!legal(type, vector, code, true)) {
      expect(outcome).toBe('VMfail 7');
      return;
    }
    expect(outcome).toBe('ok');
    if (type === OTHER) {
      expect(rig.cpu.rip).toBe(BigInt(At.guestCode));
      expect(rig.boundary()).toBe('exit 37');
      return;
    }
    expect(rig.cpu.rip).toBe(handlerOf(vector));
    const { memory: ram } = rig.machine;
    const sp = Number(rig.cpu.rsp);
    if (code) expect(ram.read64(sp)).toBe(0x1234n);
    const software = type === SOFTWARE || type === PRIVILEGED || type === SOFTWARE_EXCEPTION;
    expect(ram.read64(sp + (code ? 8 : 0))).toBe(BigInt(At.guestCode + (software ? 2 : 0)));
    expect(sp).toBe(At.guestStack - 40 - (code ? 8 : 0));
    expect(rig.cpu.interruptibility & 8).toBe(type === NMI ? 8 : 0);
  });
});

describe('real-address mode ("unrestricted guest")', () => {
  it.each(matrix.filter(([, , , type]) => [EXTERNAL, NMI, HARDWARE, SOFTWARE].includes(type)))(
    '%s, vector %d, error code %s',
    (_, vector, code, type) => {
      const rig = new Rig().ready();
      rig.ept();
      rig.secondary(Secondary.unrestrictedGuest);
      rig.bits(F.entryControls, 0, 0x200);
      rig.bits(F.guestCr0, 0, 0x8000_0001n);
      for (const [f, v] of [[F.guestCsAccessRights, 0x9b], [F.guestSsAccessRights, 0x93], [F.guestCsLimit, 0xffff], [F.guestSsLimit, 0xffff]] as const) rig.set(f, v); // prettier-ignore
      rig.set(F.guestCsSelector, 0);
      rig.set(F.guestRip, 0x7c00);
      rig.set(F.guestRsp, 0x8000);
      rig.set(F.guestIdtrBase, 0);
      rig.set(F.guestIdtrLimit, 0x3ff);
      rig.machine.memory.write(vector * 4, 4, 0x0040_0000 | (vector * 4));
      rig.set(F.guestRflags, 0x202);
      rig.set(F.entryInterruptionInfo, BigInt((0x8000_0000 | (type << 8) | vector | (code ? 0x800 : 0)) >>> 0));
      rig.set(F.entryInstructionLength, 2);
      const outcome = rig.launch();
      expect(outcome).toBe(legal(type, vector, code, false) ? 'ok' : 'VMfail 7');
      if (outcome !== 'ok') return;
      expect(rig.cpu.segments[1]!.selector).toBe(0x40);
      expect(rig.cpu.rip).toBe(BigInt(vector * 4));
      expect(rig.machine.memory.read(0x8000 - 6, 2)).toBe(0x7c00 + (type === SOFTWARE ? 2 : 0));
    },
  );
});
