import { PciFunction, header } from './config-space.ts';

const byte = (name: string, offset: number, value = 0, writable = 0xff) => ({ name, offset, size: 1, value, writable }) as const;

/** Intel 440FX host bridge (82441FX data sheet, 3.2). PAM and SMRAM are kept, and do not yet steer C0000-FFFFF: all of it is RAM. */
export function hostBridge(): PciFunction {
  return new PciFunction('i440FX host bridge', { device: 0, function: 0 }, [
    ...header(0x8086, 0x1237, 0x06_00_00, { revision: 2, command: 6 }),
    byte('PMCCFG low', 0x50),
    byte('PMCCFG high', 0x51),
    byte('DETURBO', 0x52, 0),
    byte('DBC', 0x53, 0x80),
    byte('AXC', 0x54),
    { name: 'DRT', offset: 0x55, size: 2, value: 0, writable: 0xffff },
    byte('DRAMC', 0x57, 1),
    byte('DRAMT', 0x58, 0x10),
    ...Array.from({ length: 7 }, (_, n) => byte(`PAM${n}`, 0x59 + n)),
    ...Array.from({ length: 8 }, (_, n) => byte(`DRB${n}`, 0x60 + n)),
    byte('FDHC', 0x68),
    byte('MTT', 0x70, 0x20),
    byte('CLT', 0x71, 0x10),
    byte('SMRAM', 0x72, 2, 0x78),
    byte('ERRCMD', 0x90),
  ]);
}
