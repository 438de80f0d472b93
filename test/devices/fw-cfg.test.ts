import { describe, expect, it } from 'vitest';
import { FwCfgKey } from '../../src/machine/devices/fw-cfg.ts';
import { rig } from './rig.ts';

describe('fw_cfg', () => {
  const r = rig({ cpus: 3 });
  const item = (key: number, length: number): number[] => {
    r.machine.ports.write(0x510, 2, key);
    return Array.from({ length }, () => r.in(0x511));
  };

  it.each([
    ['signature', FwCfgKey.signature, [0x51, 0x45, 0x4d, 0x55]],
    ['interface', FwCfgKey.id, [1, 0, 0, 0]],
    ['RAM size', FwCfgKey.ramSize, [0, 0, 0, 2, 0, 0, 0, 0]],
    ['number of CPUs', FwCfgKey.cpus, [3, 0]],
    ['files: none', FwCfgKey.files, [0, 0, 0, 0]],
    ['past the end: zeros', FwCfgKey.cpus, [3, 0, 0, 0]],
    ['an unknown key: zeros', 0x1234, [0, 0]],
  ])('%s', (_, key, bytes) => {
    expect(item(key, bytes.length)).toEqual(bytes);
  });

  it('selecting again starts at the first byte; data cannot be written', () => {
    expect(item(FwCfgKey.signature, 2)).toEqual([0x51, 0x45]);
    r.out(0x511, 7);
    expect(item(FwCfgKey.signature, 2)).toEqual([0x51, 0x45]);
  });

  it('position is part of a snapshot', () => {
    item(FwCfgKey.signature, 2);
    const device = r.pc.all.find((d) => d.name === 'fw-cfg')!;
    const state = device.snapshot();
    item(FwCfgKey.cpus, 1);
    device.restore(state);
    expect(r.in(0x511)).toBe(0x4d);
  });
});
