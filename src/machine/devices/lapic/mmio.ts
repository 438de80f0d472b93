import type { Log } from '../../log.ts';
import type { MmioRange } from '../../memory/physical.ts';
import type { Lapic } from './lapic.ts';

export const LAPIC_BASE = 0xfee0_0000;

/**
 * The 4 KiB page that shows each CPU its own local APIC. Registers are 32 bits wide on 16-byte boundaries; any other access
 * is undefined (SDM Vol. 3, 11.4.1): narrow reads give the bytes asked for, other writes are ignored.
 */
export function lapicPage(lapics: readonly Lapic[], currentCpu: () => number, log: Log): MmioRange {
  return {
    name: 'local APIC',
    base: LAPIC_BASE,
    length: 0x1000,
    read(offset, size) {
      const lapic = lapics[currentCpu()]!;
      const at = offset & 15;
      if (!lapic.onBus || offset >= 0x400 || at >= 4) return lapic.onBus ? 0 : 0xffff_ffff;
      const value = lapic.readRegister(offset >> 4) >>> (at * 8);
      return size === 4 ? value : value & ((1 << (size * 8)) - 1);
    },
    write(offset, size, value) {
      const lapic = lapics[currentCpu()]!;
      if (!lapic.onBus || offset >= 0x400) return;
      if (size === 4 && (offset & 15) === 0) lapic.writeRegister(offset >> 4, value);
      else log.once('lapic write', `${lapic.name}: ${size}-byte write at offset 0x${offset.toString(16)} ignored`);
    },
  };
}
