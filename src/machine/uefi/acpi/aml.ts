/**
 * The DSDT's AML, assembled by hand (ACPI 6.4, chapter 20):
 *
 *   Name (\_S5, Package () { 0, 0, 0, 0 })     // SLP_TYP 0 is soft-off on the PIIX4
 *
 * No PCI root bridge is described: without its resources and routes an operating system is better off finding it by itself.
 */
const [NAME, PACKAGE, ZERO, ROOT] = [0x08, 0x12, 0x00, 0x5c] as const;

const segment = (name: string): number[] => [...name.padEnd(4, '_')].map((c) => c.charCodeAt(0));

export function dsdtAml(): number[] {
  const elements = [ZERO, ZERO, ZERO, ZERO];
  const packageLength = elements.length + 2; // itself and the element count: 20.2.4
  return [NAME, ROOT, ...segment('_S5'), PACKAGE, packageLength, elements.length, ...elements];
}
