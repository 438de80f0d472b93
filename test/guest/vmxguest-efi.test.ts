import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// guest/bin/vmxguest.efi: what firmware and symbol readers need of a PE32+ file (PE/COFF specification, sections 3 and 5).

const pe = readFileSync('guest/bin/vmxguest.efi');
const coff = pe.readUInt32LE(0x3c) + 4;
const optional = coff + 20;
const sectionCount = pe.readUInt16LE(coff + 2);
const symbolsAt = pe.readUInt32LE(coff + 8);
const symbolCount = pe.readUInt32LE(coff + 12);
const strings = symbolsAt + symbolCount * 18;
const cString = (at: number) => pe.toString('latin1', at, pe.indexOf(0, at));
const longName = (at: number) => (pe.readUInt32LE(at) === 0 ? cString(strings + pe.readUInt32LE(at + 4)) : pe.toString('latin1', at, at + 8).replace(/\0+$/, ''));

const sections = Array.from({ length: sectionCount }, (_, i) => {
  const at = optional + pe.readUInt16LE(coff + 16) + i * 40;
  const short = pe.toString('latin1', at, at + 8).replace(/\0+$/, '');
  return {
    name: short.startsWith('/') ? cString(strings + Number(short.slice(1))) : short,
    rva: pe.readUInt32LE(at + 12),
    size: pe.readUInt32LE(at + 8),
    fileOffset: pe.readUInt32LE(at + 20),
  };
});

function symbolAddress(name: string): number | undefined {
  for (let i = 0; i < symbolCount; i += 1 + (pe[symbolsAt + i * 18 + 17] ?? 0)) {
    const at = symbolsAt + i * 18;
    if (longName(at) === name) return (sections[pe.readInt16LE(at + 12) - 1]?.rva ?? NaN) + pe.readUInt32LE(at + 8);
  }
  return undefined;
}

describe('vmxguest.efi', () => {
  it.each([
    ['signature PE', pe.toString('latin1', coff - 4, coff), 'PE\0\0'],
    ['machine x86-64', pe.readUInt16LE(coff), 0x8664],
    ['magic PE32+', pe.readUInt16LE(optional), 0x20b],
    ['subsystem EFI application', pe.readUInt16LE(optional + 68), 10],
    ['no time stamp', pe.readUInt32LE(coff + 4), 0],
    ['relocations not stripped', pe.readUInt16LE(coff + 18) & 1, 0],
  ])('%s', (_what, actual, expected) => expect(actual).toBe(expected));

  it('has base relocations', () => {
    expect(pe.readUInt32LE(optional + 112 + 5 * 8 + 4)).toBeGreaterThan(8);
  });

  it('starts at efi_main, named in the COFF symbols', () => {
    expect(symbolAddress('efi_main')).toBe(pe.readUInt32LE(optional + 16));
    expect(symbolAddress('no_such_function')).toBeUndefined();
  });

  it('keeps DWARF with relative paths', () => {
    const names = sections.map((s) => s.name);
    expect(names).toEqual(expect.arrayContaining(['.debug_info', '.debug_line', '.debug_frame']));
    const paths = sections.find((s) => s.name === '.debug_line_str');
    const list = pe.toString('latin1', paths?.fileOffset, (paths?.fileOffset ?? 0) + (paths?.size ?? 0)).split('\0');
    expect(list).toContain('guest/src/loader/efi_main.c');
    expect(list.filter((p) => p.startsWith('/'))).toEqual([]);
  });
});
