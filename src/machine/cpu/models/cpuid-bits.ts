/** Where CPUID reports each feature: SDM Vol. 2, CPUID, tables 3-8 and following. One row each. */
export interface CpuidBit {
  readonly feature: string;
  readonly leaf: number;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
  /** False: the name is known but nothing behind it is built, so no model may offer it and `--cpu ...,+name` is refused. */
  readonly built: boolean;
}

const rows = (leaf: number, register: CpuidBit['register'], text: string): readonly CpuidBit[] =>
  text
    .trim()
    .split(/\s+/)
    .map((item) => {
      const [bit, name] = item.split(':') as [string, string];
      return { feature: name.replace(/!$/, ''), leaf, register, bit: Number(bit), built: !name.endsWith('!') };
    });

/** `bit:name`; a `!` marks what is not built. */
export const cpuidBits: readonly CpuidBit[] = [
  ...rows(1, 'edx', '0:fpu 1:vme 2:de 3:pse 4:tsc 5:msr 6:pae 7:mce 8:cx8 9:apic 11:sep 12:mtrr 13:pge 14:mca 15:cmov 16:pat 17:pse36 18:psn!'),
  ...rows(1, 'edx', '19:clflush 21:ds! 22:acpi! 23:mmx 24:fxsr 25:sse 26:sse2 27:ss 29:tm! 31:pbe!'),
  ...rows(1, 'ecx', '0:sse3 1:pclmulqdq 2:dtes64! 3:monitor 4:ds-cpl! 5:vmx 6:smx! 7:eist! 8:tm2! 9:ssse3 12:fma 13:cx16 14:xtpr! 15:pdcm'),
  ...rows(1, 'ecx', '17:pcid 19:sse4.1 20:sse4.2 21:x2apic 22:movbe 23:popcnt 24:tsc-deadline 25:aes 26:xsave 28:avx 29:f16c 30:rdrand'),
  ...rows(
    7,
    'ebx',
    '0:fsgsbase 1:tsc-adjust 3:bmi1 5:avx2 7:smep 8:bmi2 9:erms 10:invpcid 13:zero-fcs-fds 14:mpx 18:rdseed 19:adx 20:smap 23:clflushopt 24:clwb 29:sha',
  ),
  ...rows(7, 'ecx', '2:umip 3:pku 16:la57 22:rdpid 25:cldemote'),
  ...rows(7, 'edx', '4:fsrm 14:serialize'),
  ...rows(0xa, 'eax', '0:arch-perfmon'), // a version number: the model says which
  ...rows(0xd, 'eax', '0:xsaveopt 1:xsavec 2:xgetbv1 3:xsaves'), // subleaf 1, with what xsave/cpuid.ts says of the components
  ...rows(0x8000_0001, 'edx', '11:syscall 20:nx 26:pdpe1gb 27:rdtscp 29:lm'),
  ...rows(0x8000_0001, 'ecx', '0:lahf64 5:lzcnt 8:prefetchw'),
  ...rows(0x8000_0007, 'edx', '8:invtsc'),
  ...rows(0x8000_0008, 'ebx', '9:wbnoinvd'),
];
