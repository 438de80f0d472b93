import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/machine/uefi/crc32.ts';
import { guidBytes, Guids, guidText } from '../../src/machine/uefi/guids.ts';
import { Bench } from './harness.ts';

const b = new Bench({}, 64 << 20, 3);
const { fw } = b;
const system = fw.layout.runtimeData.base;
const ascii = (at: number, length: number): string => new TextDecoder().decode(b.bytes(at, length));

describe('EFI tables', () => {
  test.each([
    ['system', system, 'IBI SYST', 120],
    ['boot services', b.u64(system + 96), 'BOOTSERV', 376],
    ['runtime services', b.u64(system + 88), 'RUNTSERV', 136],
  ])('%s table: signature, revision 2.10, size, CRC', (_n, at, signature, size) => {
    expect([ascii(at, 8), fw.memory.u32(at + 8), fw.memory.u32(at + 12)]).toEqual([signature, 0x2_0064, size]);
    const bytes = b.bytes(at, size);
    const crc = fw.memory.u32(at + 16);
    bytes.set([0, 0, 0, 0], 16);
    expect(crc32(bytes)).toBe(crc);
  });
  test.each([
    [0, 'RaiseTPL'],
    [2, 'AllocatePages'],
    [4, 'GetMemoryMap'],
    [16, 'HandleProtocol'],
    [22, 'LoadImage'],
    [26, 'ExitBootServices'],
    [32, 'OpenProtocol'],
    [36, 'LocateHandleBuffer'],
    [43, 'CreateEventEx'],
  ])('boot service %i is %s', (n, name) => expect(fw.serviceAt(b.u64(b.u64(system + 96) + 24 + n * 8))).toBe(name));
  test.each([
    [0, 'GetTime'],
    [4, 'SetVirtualAddressMap'],
    [8, 'SetVariable'],
    [10, 'ResetSystem'],
    [13, 'QueryVariableInfo'],
  ])('runtime service %i is %s', (n, name) => expect(fw.serviceAt(b.u64(b.u64(system + 88) + 24 + n * 8))).toBe(name));
  test('slots hold RET and padding and lie in runtime code', () => {
    const at = fw.slot('AllocatePages');
    expect([...b.bytes(at, 16)]).toEqual([0xc3, ...Array<number>(15).fill(0xcc)]);
    expect(fw.state.map.regions.find((r) => r.base <= at && at < r.base + r.pages * 4096)?.type).toBe(5);
    expect(() => fw.trap(b.cpu, at + 1)).toThrow(expect.objectContaining({ vector: 6 }));
  });
  test('consoles in the system table are the protocols on their handles', () => {
    for (const [handle, protocol, guid] of [
      [40, 48, Guids.simpleTextInput],
      [56, 64, Guids.simpleTextOutput],
      [72, 80, Guids.simpleTextOutput],
    ] as const) {
      const entry = fw.state.handles.find((h) => h.handle === b.u64(system + handle));
      expect(Number(BigInt(entry!.protocols.find((p) => p.guid === guid)!.interface))).toBe(b.u64(system + protocol));
    }
  });
});

test('GUIDs: the first three fields are little-endian', () => {
  const bytes = guidBytes(Guids.loadedImage);
  expect([...bytes.subarray(0, 9)]).toEqual([0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11, 0x8e]);
  for (const g of Object.values(Guids)) expect(guidText(guidBytes(g))).toBe(g);
});

describe('ACPI', () => {
  const sum = (at: number, length: number): number => b.bytes(at, length).reduce((a, v) => a + v, 0) & 0xff;
  const rsdp = fw.state.configuration.find((c) => c.guid === Guids.acpi20)!.table;
  const [rsdt, xsdt] = [fw.memory.u32(rsdp + 16), b.u64(rsdp + 24)];
  const tables = Array.from({ length: (fw.memory.u32(xsdt + 4) - 36) / 8 }, (_, n) => b.u64(xsdt + 36 + n * 8));
  const find = (signature: string): number => tables.find((t) => ascii(t, 4) === signature)!;

  test('RSDP: both checksums, revision 2, one for both GUIDs, room behind it for a scan of 1 KiB', () => {
    expect([ascii(rsdp, 8), b.bytes(rsdp + 15, 1)[0], sum(rsdp, 20), sum(rsdp, 36)]).toEqual(['RSD PTR ', 2, 0, 0]);
    expect(fw.state.configuration.find((c) => c.guid === Guids.acpi10)!.table).toBe(rsdp);
    expect(rsdp + 0x400).toBeLessThan(fw.layout.acpi.base + fw.layout.acpi.length);
  });
  test('RSDT and XSDT name the same tables; every checksum holds', () => {
    expect(tables.map((_, n) => fw.memory.u32(rsdt + 36 + n * 4))).toEqual(tables);
    expect(tables.map((t) => ascii(t, 4))).toEqual(['FACP', 'APIC']);
    for (const t of [rsdt, xsdt, ...tables, b.u64(find('FACP') + 140)]) expect(sum(t, fw.memory.u32(t + 4)), ascii(t, 4)).toBe(0);
  });
  test('FADT: revision 3, where the ports are', () => {
    const f = find('FACP');
    expect([fw.memory.u32(f + 4), b.bytes(f + 8, 1)[0]]).toEqual([244, 3]);
    expect([56, 64, 76, 48].map((o) => fw.memory.u32(f + o))).toEqual([0x600, 0x604, 0x608, 0]);
    expect([...b.bytes(f + 46, 2)]).toEqual([9, 0]);
    expect([...b.bytes(f + 88, 4)]).toEqual([4, 2, 0, 4]);
    expect([...b.bytes(f + 116, 13)]).toEqual([1, 8, 0, 1, 0xf9, 0xc, 0, 0, 0, 0, 0, 0, 6]);
    expect(fw.memory.u32(f + 112) & 0x400, 'RESET_REG_SUP').toBe(0x400);
    expect([b.u64(f + 132), b.u64(f + 140)]).toEqual([fw.memory.u32(f + 36), fw.memory.u32(f + 40)]);
    expect([b.u64(f + 148 + 4), b.u64(f + 172 + 4), b.u64(f + 208 + 4)]).toEqual([0x600, 0x604, 0x608]);
    const facs = b.u64(f + 132);
    expect([ascii(facs, 4), fw.memory.u32(facs + 4), facs % 64]).toEqual(['FACS', 64, 0]);
  });
  test('MADT: three CPUs, one IOAPIC, the overrides', () => {
    const m = find('APIC');
    const entries: number[][] = [];
    for (let at = m + 44; at < m + fw.memory.u32(m + 4); at += b.bytes(at + 1, 1)[0]!) entries.push([...b.bytes(at, b.bytes(at + 1, 1)[0]!)]);
    expect(entries.map((e) => e[0])).toEqual([0, 0, 0, 1, 2, 2, 4]);
    expect(entries.slice(0, 3).map((e) => e[3])).toEqual([0, 1, 2]);
    expect(entries[3]!.slice(4, 8)).toEqual([0, 0, 0xc0, 0xfe]);
    expect(entries[4]!.slice(3, 5)).toEqual([0, 2]);
    expect(entries[5]!.slice(3, 9)).toEqual([9, 9, 0, 0, 0, 0xd]);
  });
  test('DSDT: \\_S5 with sleep type 0', () => {
    const d = b.u64(find('FACP') + 140);
    expect([...b.bytes(d + 36, fw.memory.u32(d + 4) - 36)]).toEqual([0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0x12, 6, 4, 0, 0, 0, 0]);
  });
});

test('the layout covers the top of RAM without gaps or overlap', () => {
  const { ramTop, ...ranges } = fw.layout;
  let at = ramTop - 0x8_0000;
  for (const r of Object.values(ranges).sort((x, y) => x.base - y.base)) {
    expect(r.base).toBe(at);
    at += r.length;
  }
  expect(at).toBe(ramTop);
  expect(() => new Bench({}, 8 << 20)).toThrow('at least 16 MiB');
});
