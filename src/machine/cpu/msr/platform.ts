/** APIC base, feature control and what identifies the processor: SDM Vol. 4, 2.1. */
import type { Cpu } from '../cpu.ts';
import { gp } from '../fault.ts';
import * as L from '../layout.ts';
import { xssBits } from '../xsave/components.ts';
import { constant, MsrSlot, msrSlot, setMsrSlot, stored, within, type Msr } from './row.ts';

/** IA32_APIC_BASE: BSP, x2APIC enable, global enable: SDM Vol. 3, 11.4.4. */
export const ApicBase = { bsp: 0x100n, x2apic: 0x400n, enable: 0x800n, address: 0xfee0_0000n } as const;

/** IA32_FEATURE_CONTROL: lock bit and "VMX outside SMX", as firmware leaves it. SDM Vol. 3, 24.7. */
const FEATURE_CONTROL = 5n;

/** IA32_MISC_ENABLE: fast strings on; branch trace and PEBS unavailable. */
const MISC_ENABLE = 0x1801n;
const MISC_ENABLE_PERFMON = 1n << 7n;
export const MISC_ENABLE_MONITOR = 1n << 18n;
/** CPUID reports no basic leaf above 02H; the XD bit is not there. */
const LIMIT_CPUID = 1n << 22n;
const XD_DISABLE = 1n << 34n;
/** Fast strings, thermal control circuit, SpeedStep, MONITOR, CPUID limit, xTPR messages, XD; the other bits read as they are. */
const MISC_ENABLE_WRITABLE = 0x1_0009n | MISC_ENABLE_MONITOR | LIMIT_CPUID | (1n << 23n) | XD_DISABLE;

/** Performance monitoring available is read-only. */
const miscEnable = (cpu: Cpu): bigint => MISC_ENABLE | (cpu.model.features.has('arch-perfmon') ? MISC_ENABLE_PERFMON : 0n);
const miscEnabled = (cpu: Cpu, bit: bigint): boolean => (msrSlot(cpu, MsrSlot.miscEnable) & bit) !== 0n;
/** What IA32_MISC_ENABLE hides from CPUID and forbids. */
export const monitorEnabled = (cpu: Cpu): boolean => miscEnabled(cpu, MISC_ENABLE_MONITOR);
export const cpuidLimited = (cpu: Cpu): boolean => miscEnabled(cpu, LIMIT_CPUID);
export const xdDisabled = (cpu: Cpu): boolean => miscEnabled(cpu, XD_DISABLE);

/** Bus ratio 10 of 100 MHz in bits 15:8 and 47:40: the TSC runs at 1 GHz. */
const PLATFORM_INFO = (10n << 40n) | (10n << 8n);

const debugctlBits = (cpu: Cpu): bigint => (cpu.model.features.has('arch-perfmon') ? 0x1003n : 3n);

const FAMILY_6 = 'SDM Vol. 4, 2.1';

export const platformMsrs: readonly Msr[] = [
  constant(0x17, 'IA32_PLATFORM_ID', FAMILY_6, () => 0n),
  {
    index: 0x1b,
    name: 'IA32_APIC_BASE',
    section: 'SDM Vol. 3, 11.4.4',
    needs: 'apic',
    read: (cpu) => cpu.u64(L.APIC_BASE),
    write(cpu, value) {
      const x2apic = cpu.model.features.has('x2apic') ? ApicBase.x2apic : 0n;
      const address = ((1n << BigInt(cpu.model.physicalBits)) - 1n) & ~0xfffn;
      if ((value & ~(address | ApicBase.bsp | ApicBase.enable | x2apic)) !== 0n) throw gp();
      const [old, now] = [cpu.u64(L.APIC_BASE) & 0xc00n, value & 0xc00n];
      // SDM Vol. 3, 11.12.5: x2APIC mode is entered from xAPIC mode and left to disabled; EXTD without EN is invalid.
      if (now === 0x400n || (old === 0xc00n && now === 0x800n) || (old === 0n && now === 0xc00n)) throw gp();
      cpu.setU64(L.APIC_BASE, value);
    },
    reset: (cpu) => cpu.setU64(L.APIC_BASE, ApicBase.address | ApicBase.enable | (cpu.index === 0 ? ApicBase.bsp : 0n)),
  },
  {
    index: 0x3a,
    name: 'IA32_FEATURE_CONTROL',
    section: 'SDM Vol. 3, 24.7',
    needs: 'vmx',
    read: (cpu) => msrSlot(cpu, MsrSlot.featureControl),
    write(cpu, value) {
      if ((msrSlot(cpu, MsrSlot.featureControl) & 1n) !== 0n || (value & ~5n) !== 0n) throw gp();
      setMsrSlot(cpu, MsrSlot.featureControl, value);
    },
    reset: (cpu) => setMsrSlot(cpu, MsrSlot.featureControl, FEATURE_CONTROL),
  },
  constant(0x79, 'IA32_BIOS_UPDT_TRIG', 'SDM Vol. 3, 10.11.6', () => 0n, { ignored: true }),
  // Software writes 0, executes CPUID and reads the revision in the upper half.
  constant(0x8b, 'IA32_BIOS_SIGN_ID', 'SDM Vol. 3, 10.11.7', () => 1n << 32n, { ignored: true }),
  stored(0xda0, 'IA32_XSS', 'SDM Vol. 1, 13.3', MsrSlot.xss, (value, cpu) => (value & ~xssBits(cpu.model)) === 0n, { needs: 'xsaves' }),
  constant(0xce, 'MSR_PLATFORM_INFO', 'SDM Vol. 4, table 2-15', () => PLATFORM_INFO),
  // No error-reporting banks.
  constant(0x179, 'IA32_MCG_CAP', 'SDM Vol. 3, 16.3.1.1', () => 0n, { needs: 'mca' }),
  stored(0x17a, 'IA32_MCG_STATUS', 'SDM Vol. 3, 16.3.1.2', MsrSlot.mcgStatus, within(7n), { needs: 'mca' }),
  {
    index: 0x1a0,
    name: 'IA32_MISC_ENABLE',
    section: FAMILY_6,
    read: (cpu) => msrSlot(cpu, MsrSlot.miscEnable),
    write: (cpu, value) => setMsrSlot(cpu, MsrSlot.miscEnable, (value & MISC_ENABLE_WRITABLE) | (miscEnable(cpu) & ~MISC_ENABLE_WRITABLE)),
    reset: (cpu) => setMsrSlot(cpu, MsrSlot.miscEnable, miscEnable(cpu) | (cpu.model.features.has('monitor') ? MISC_ENABLE_MONITOR : 0n)),
  },
  // LBR and BTF can be set and read back; no branch is recorded. FREEZE_PERFMON_ON_PMI comes with the counters.
  stored(0x1d9, 'IA32_DEBUGCTL', 'SDM Vol. 3, 18.4.1', MsrSlot.debugctl, (value, cpu) => (value & ~debugctlBits(cpu)) === 0n),
];
