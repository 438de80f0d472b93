import { expect, test } from 'vitest';
import { ABANDONED } from '../../src/machine/cpu/fault.ts';
import { memoryDirectory } from '../../src/machine/uefi/files/host-directory.ts';
import { Guids } from '../../src/machine/uefi/guids.ts';
import { loadImage } from '../../src/machine/uefi/images/loader.ts';
import { Bench, RETURN, SCRATCH, STACK } from './harness.ts';
import { buildPe } from './pe-builder.ts';

/**
 * Any access to the caller's memory may fault, and the service then runs again. For each access of each scenario: fault
 * there, find the firmware's state and registers untouched, run again, end as if nothing had been.
 */
type Prepare = (b: Bench) => readonly [service: string, ...args: (number | bigint)[]];

const event = (b: Bench, type: number, notify: number): number => {
  const at = b.cell();
  b.call('CreateEvent', type, 8, notify, 0, at);
  return b.u64(at);
};
const image = (b: Bench): number => loadImage(b.fw, { bytes: buildPe(), name: 'x', path: undefined, device: 0, deviceNodes: [], parent: 0 }).handle;
const root = (b: Bench): number => {
  const at = b.cell();
  b.call('SimpleFileSystem.OpenVolume', 0, at);
  return b.u64(at);
};
const opened = (b: Bench, name: string): number => {
  const at = b.cell();
  b.call('File.Open', root(b), at, b.text(name), 3, 0);
  return b.u64(at);
};
const A = 'aaaaaaaa-0000-0000-0000-000000000001';
const handle = (b: Bench): number => {
  const at = b.cell();
  b.call('InstallProtocolInterface', at, b.guid(A), 0, 0x77);
  return b.u64(at);
};
const pool = (b: Bench): number => {
  const at = b.cell();
  b.call('AllocatePool', 4, 100, at);
  return b.u64(at);
};

const scenarios: Record<string, Prepare> = {
  AllocatePages: (b) => ['AllocatePages', 0, 2, 3, b.cell()],
  FreePool: (b) => ['FreePool', pool(b)],
  AllocatePool: (b) => ['AllocatePool', 4, 30, b.cell()],
  GetMemoryMap: (b) => ['GetMemoryMap', b.cell(4096), b.put(4096), b.cell(), b.cell(), b.cell()],
  'raise TPL': () => ['RaiseTPL', 31],
  'restore TPL with a notification': (b) => {
    b.raw('RaiseTPL', 16);
    b.call('SignalEvent', event(b, 0x200, 0x5_0000));
    return ['RestoreTPL', 4];
  },
  CreateEventEx: (b) => ['CreateEventEx', 0x200, 8, 0x5_0000, 1, b.guid(A), b.cell()],
  'SignalEvent with a notification': (b) => ['SignalEvent', event(b, 0x200, 0x5_0000)],
  'CheckEvent that asks': (b) => ['CheckEvent', event(b, 0x100, 0x5_0000)],
  'WaitForEvent that is signaled': (b) => {
    const e = event(b, 0, 0);
    b.call('SignalEvent', e);
    return ['WaitForEvent', 1, b.cell(e), b.cell()];
  },
  'WaitForEvent that asks': (b) => ['WaitForEvent', 1, b.cell(event(b, 0x100, 0x5_0000)), b.cell()],
  'the tick with a notification': (b) => {
    const e = event(b, 0x8000_0200, 0x5_0000);
    b.call('SetTimer', e, 2, 1);
    b.machine.clock.advance(1e7);
    return ['Tick'];
  },
  InstallProtocolInterface: (b) => ['InstallProtocolInterface', b.cell(), b.guid(A), 0, 1],
  ReinstallProtocolInterface: (b) => ['ReinstallProtocolInterface', handle(b), b.guid(A), 0x77, 0x78],
  UninstallProtocolInterface: (b) => ['UninstallProtocolInterface', handle(b), b.guid(A), 0x77],
  InstallMultipleProtocolInterfaces: (b) => ['InstallMultipleProtocolInterfaces', b.cell(), b.guid(A), 1, b.guid(Guids.acpi10), 2, 0],
  UninstallMultipleProtocolInterfaces: (b) => ['UninstallMultipleProtocolInterfaces', handle(b), b.guid(A), 0x77, 0],
  RegisterProtocolNotify: (b) => ['RegisterProtocolNotify', b.guid(A), event(b, 0x200, 0x5_0000), b.cell()],
  'LocateHandle by registration': (b) => {
    const key = b.cell();
    b.call('RegisterProtocolNotify', b.guid(A), event(b, 0, 0), key);
    handle(b);
    return ['LocateHandle', 1, 0, b.u64(key), b.cell(8), b.cell()];
  },
  LocateHandleBuffer: (b) => ['LocateHandleBuffer', 0, 0, 0, b.cell(), b.cell()],
  OpenProtocol: (b) => ['OpenProtocol', handle(b), b.guid(A), b.cell(), 1, 2, 2],
  ProtocolsPerHandle: (b) => ['ProtocolsPerHandle', handle(b), b.cell(), b.cell()],
  InstallConfigurationTable: (b) => ['InstallConfigurationTable', b.guid(A), 0x4000],
  LoadImage: (b) => {
    const file = buildPe();
    return ['LoadImage', 0, image(b), 0, b.put(file), file.length, b.cell()];
  },
  StartImage: (b) => ['StartImage', image(b), b.cell(), b.cell()],
  Exit: (b) => {
    const h = image(b);
    b.prepare('StartImage', [h, b.cell(), b.cell()]);
    b.step();
    return ['Exit', h, 5, 0, 0];
  },
  ExitBootServices: (b) => {
    event(b, 0x201, 0x5_0000);
    const h = image(b);
    return ['ExitBootServices', h, b.fw.state.map.key];
  },
  GetNextMonotonicCount: (b) => ['GetNextMonotonicCount', b.cell()],
  Stall: () => ['Stall', 10],
  OpenVolume: (b) => ['SimpleFileSystem.OpenVolume', 0, b.cell()],
  'File.Open': (b) => ['File.Open', root(b), b.cell(), b.text('a'), 1, 0],
  'File.Read': (b) => ['File.Read', opened(b, 'a'), b.cell(3), b.put(8)],
  'File.Read of a directory': (b) => ['File.Read', root(b), b.cell(200), b.put(200)],
  'File.Close': (b) => ['File.Close', opened(b, 'a')],
  'ConOut.OutputString': (b) => ['ConOut.OutputString', 0, b.text('hello')],
  'ConIn.ReadKeyStroke': (b) => {
    b.fw.key(Uint8Array.of(0x61));
    return ['ConIn.ReadKeyStroke', 0, b.cell()];
  },
  SetVariable: (b) => ['SetVariable', b.text('n'), b.guid(A), 3, 4, b.put(4)],
  GetNextVariableName: (b) => ['GetNextVariableName', b.cell(100), b.put(100), b.put(16)],
  SetTime: (b) => ['SetTime', b.put(Uint8Array.of(0xe8, 7, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))],
  GetTime: (b) => ['GetTime', b.put(16), b.put(12)],
};

/** Everything a fault must not have changed, and everything an undisturbed run ends with. Guest memory: where the tests have theirs. */
function picture(b: Bench): string {
  const registers = Array.from({ length: 16 }, (_, n) => b.cpu.gpr(n).toString(16)).join(' ');
  const memory = [b.bytes(SCRATCH, 0x2000), b.bytes(STACK - 0x800, 0x800), b.bytes(b.fw.layout.runtimeData.base, 0x800)].map((m) =>
    Buffer.from(m).toString('base64'),
  );
  return [JSON.stringify(b.fw.snapshot()), registers, b.cpu.rip, b.cpu.rflags, ...memory, b.output].join('\n');
}

/** Shows where two pictures part, not the whole of them. */
function same(actual: string, expected: string, what: string): void {
  if (actual === expected) return;
  const at = [...expected].findIndex((c, n) => c !== actual[n]);
  expect(actual.slice(at - 200, at + 100), what).toBe(expected.slice(at - 200, at + 100));
}

function ready(prepare: Prepare): Bench {
  const b = new Bench({ directory: memoryDirectory({ a: 'abc' }, true) });
  const [service, ...args] = prepare(b);
  b.prepare(service, args);
  b.access.count = 0;
  return b;
}

test.each(Object.entries(scenarios))('%s', (_name, prepare) => {
  const undisturbed = ready(prepare);
  undisturbed.step();
  const accesses = undisturbed.access.count;
  const result = picture(undisturbed);
  expect(accesses).toBeGreaterThan(0);
  for (let n = 0; n < accesses; n++) {
    const b = ready(prepare);
    const before = picture(b);
    b.access.failAt = n;
    let thrown: unknown;
    try {
      b.step();
    } catch (e) {
      thrown = e;
    }
    expect(thrown, `access ${n}`).toBe(ABANDONED);
    same(picture(b), before, `state after the fault at access ${n}`);
    b.step();
    same(picture(b), result, `result after the fault at access ${n}`);
  }
});

test('continuations: a fault when guest code returns changes nothing', () => {
  const b = ready((x) => {
    const [one, two] = [event(x, 0x200, 0x5_1000), event(x, 0x200, 0x5_2000)];
    x.raw('RaiseTPL', 16);
    x.call('SignalEvent', one);
    x.call('SignalEvent', two);
    return ['RestoreTPL', 4];
  });
  b.step();
  for (const next of [0x5_2000n, RETURN]) {
    b.cpu.rip = b.fw.memory.u64(Number(b.cpu.rsp));
    b.cpu.rsp += 8n;
    const before = picture(b);
    b.access.count = 0;
    b.access.failAt = 0;
    expect(() => b.step()).toThrow();
    expect(picture(b)).toBe(before);
    b.step();
    expect(b.cpu.rip).toBe(next);
  }
});

test('the boot manager, entering an image', () => {
  const b = new Bench({ directory: memoryDirectory({ 'EFI/BOOT/BOOTX64.EFI': buildPe() }) });
  b.cpu.rip = BigInt(b.fw.slot('BootManager'));
  const before = picture(b);
  b.access.count = 0;
  b.access.failAt = 0;
  expect(() => b.step()).toThrow();
  same(picture(b), before, 'state after the fault');
  b.step();
  expect(b.fw.state.images.map((i) => i.started)).toEqual([true]);
});

test('observers see a call that faulted and came again once', () => {
  const b = ready((x) => ['AllocatePool', 4, 30, x.cell()]);
  const seen: string[] = [];
  b.machine.probe = { firmwareCall: (_c, name, args) => seen.push(`${name}(${args.join()})`.replace(/,\d+\)/, ')')), firmwareReturn: (_c, name, s) => seen.push(`${name} ${s}`) }; // prettier-ignore
  b.access.failAt = 1;
  expect(() => b.step()).toThrow();
  b.step();
  expect(seen).toEqual(['AllocatePool(4,30)', 'AllocatePool 0']);
});
