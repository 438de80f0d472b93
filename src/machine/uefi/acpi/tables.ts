import { Pack } from '../pack.ts';
import { dsdtAml } from './aml.ts';

/** ACPI 6.4 tables, as few as an operating system needs. Each is built with its checksum; addresses are given. */

const OEM_ID = 'VMXSCP';
const OEM_TABLE_ID = 'VMXSCOPE';

/** The ports and lines of the machine's chipset: PM block of the PIIX4 at 600H, reset control register CF9H. */
export const Hardware = {
  pm1Event: 0x600,
  pm1Control: 0x604,
  pmTimer: 0x608,
  resetPort: 0xcf9,
  resetValue: 6,
  sci: 9,
  ioapicAddress: 0xfec0_0000,
  lapicAddress: 0xfee0_0000,
} as const;

function checksummed(bytes: Uint8Array, at: number, from = 0, to = bytes.length): Uint8Array {
  bytes[at] = 0;
  bytes[at] = -bytes.subarray(from, to).reduce((a, b) => a + b, 0) & 0xff;
  return bytes;
}

/** System description table header: 5.2.6. */
function table(signature: string, revision: number, body: Pack): Uint8Array {
  const pack = new Pack()
    .ascii(signature)
    .u32(36 + body.length)
    .u8(revision, 0)
    .ascii(OEM_ID)
    .ascii(OEM_TABLE_ID)
    .u32(1)
    .ascii('VMXS')
    .u32(1)
    .bytes(body.done());
  return checksummed(pack.done(), 9);
}

/** RSDP: 5.2.5.3. Two checksums, of the first 20 bytes and of all 36. */
export function rsdp(rsdt: number, xsdt: number): Uint8Array {
  const bytes = new Pack().ascii('RSD PTR ').u8(0).ascii(OEM_ID).u8(2).u32(rsdt).u32(36).u64(xsdt).u8(0).zeros(3).done(); // prettier-ignore
  checksummed(bytes, 8, 0, 20);
  return checksummed(bytes, 32);
}

export const rsdt = (tables: readonly number[]): Uint8Array => table('RSDT', 1, tables.reduce((p, t) => p.u32(t), new Pack())); // prettier-ignore
export const xsdt = (tables: readonly number[]): Uint8Array => table('XSDT', 1, tables.reduce((p, t) => p.u64(t), new Pack())); // prettier-ignore

const IO_SPACE = 1;
/** Generic address structure: 5.2.3.2. Access size 1 byte, 2 word, 3 dword. */
const gas = (port: number, bits: number, access: number): Uint8Array => new Pack().u8(IO_SPACE, bits, 0, access).u64(port).done();
const NO_GAS = new Uint8Array(12);

/** FADT: 5.2.9, revision 3 (ACPI 2.0), 244 bytes. SMI_CMD 0: the machine is in ACPI mode and stays there (4.8.2.5). */
export function fadt(facs: number, dsdt: number): Uint8Array {
  const { pm1Event, pm1Control, pmTimer, sci, resetPort, resetValue } = Hardware;
  const flags = 1 | (1 << 2) | (1 << 5) | (1 << 10); // WBINVD, PROC_C1, SLP_BUTTON absent, RESET_REG_SUP
  const bootArchitecture = 3; // legacy devices, 8042
  const body = new Pack()
    .u32(facs)
    .u32(dsdt)
    .u8(0, 1) // reserved; preferred profile: desktop
    .u16(sci)
    .u32(0) // SMI_CMD
    .u8(0, 0, 0, 0) // ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT
    .u32(pm1Event)
    .u32(0)
    .u32(pm1Control)
    .u32(0)
    .u32(0)
    .u32(pmTimer)
    .u32(0)
    .u32(0)
    .u8(4, 2, 0, 4, 0, 0, 0, 0) // lengths of PM1_EVT, PM1_CNT, PM2_CNT, PM_TMR, GPE0, GPE1; GPE1_BASE; CST_CNT
    .u16(0xfff)
    .u16(0xfff) // C2 and C3 latencies: not supported
    .u16(0)
    .u16(0)
    .u8(0, 0, 0, 0, 0x32) // duty offset and width, alarm registers, CENTURY: CMOS 32h
    .u16(bootArchitecture)
    .u8(0)
    .u32(flags)
    .bytes(gas(resetPort, 8, 1))
    .u8(resetValue, 0, 0, 0)
    .u64(facs)
    .u64(dsdt)
    .bytes(gas(pm1Event, 32, 3))
    .bytes(NO_GAS)
    .bytes(gas(pm1Control, 16, 2))
    .bytes(NO_GAS)
    .bytes(NO_GAS)
    .bytes(gas(pmTimer, 32, 3))
    .bytes(NO_GAS)
    .bytes(NO_GAS);
  return table('FACP', 3, body);
}

/** FACS: 5.2.10. No checksum; 64-byte aligned. */
export const facs = (): Uint8Array => new Pack().ascii('FACS').u32(64).zeros(24).u8(1).zeros(31).done();

export const dsdt = (): Uint8Array => table('DSDT', 2, new Pack().bytes(dsdtAml()));

/** MADT: 5.2.12. ISA interrupts are identity-mapped but for the timer on input 2; the SCI is level, active high. */
export function madt(cpus: number): Uint8Array {
  const PCAT_COMPAT = 1;
  const body = new Pack().u32(Hardware.lapicAddress).u32(PCAT_COMPAT);
  for (let n = 0; n < cpus; n++) body.u8(0, 8, n, n).u32(1); // local APIC, enabled
  body.u8(1, 12, cpus, 0).u32(Hardware.ioapicAddress).u32(0);
  body.u8(2, 10, 0, 0).u32(2).u16(0); // IRQ 0 -> input 2, conforming
  body.u8(2, 10, 0, Hardware.sci).u32(Hardware.sci).u16(0xd); // active high, level
  body.u8(4, 6, 0xff).u16(0).u8(1); // NMI on LINT1 of every CPU
  return table('APIC', 3, body);
}

/** Lays the tables out from `at` (16-byte aligned), the FACS at `nvs`. Returns the RSDP's address. */
export function buildAcpi(at: number, nvs: number, cpus: number, write: (at: number, bytes: Uint8Array) => void): number {
  // The RSDP comes first and the area is larger than 1 KiB: callers scan from the address they are given.
  const root = at;
  let next = at + 64;
  const place = (bytes: Uint8Array): number => {
    const here = next;
    write(here, bytes);
    next = Math.ceil((here + bytes.length) / 16) * 16;
    return here;
  };
  write(nvs, facs());
  const tables = [place(fadt(nvs, place(dsdt()))), place(madt(cpus))];
  write(root, rsdp(place(rsdt(tables)), place(xsdt(tables))));
  return root;
}
