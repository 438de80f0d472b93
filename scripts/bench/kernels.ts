/** What a kernel of the guest stands for. */
export interface Kernel {
  /** Its name in guest/*.c: `<name>_kernel`. */
  readonly name: string;
  readonly group: 'compute' | 'mix' | 'once' | 'walks' | 'exceptions' | 'vm exits' | 'ports' | 'strings' | 'rewriting' | 'soak';
  readonly title: string;
  /** What the guest counts. */
  readonly unit: string;
  /** Times as fast as Bochs, and as QEMU, that vmxscope is to be: issue 3. */
  readonly target?: { readonly bochs: number; readonly qemu?: number };
  /** Runs in a process of the host as well: no privilege needed. */
  readonly native?: true;
  /** The beginning counts too: what runs once is the point. */
  readonly cold?: true;
  /** QEMU's TCG has no VMX. */
  readonly vmx?: true;
}

const compute = { bochs: 4, qemu: 1 } as const;
const slow = { bochs: 1 } as const;

export const kernels: readonly Kernel[] = [
  { name: 'compute', group: 'compute', title: 'sieve, CRC-32 and sort together', unit: 'rounds', target: compute, native: true },
  { name: 'sieve', group: 'compute', title: 'sieve of 100,000', unit: 'rounds', target: compute, native: true },
  { name: 'crc32', group: 'compute', title: 'bitwise CRC-32 of 20,000 bytes', unit: 'rounds', target: compute, native: true },
  { name: 'sort', group: 'compute', title: 'insertion sort, indirect calls', unit: 'rounds', target: compute, native: true },
  { name: 'mix', group: 'mix', title: 'like a boot: 4,096 functions, some hot', unit: 'calls', target: { bochs: 2 }, native: true, cold: true },
  { name: 'once', group: 'once', title: 'code executed once', unit: 'bytes of code', target: slow, native: true, cold: true },
  { name: 'miss', group: 'walks', title: 'TLB misses over 64 MiB', unit: 'pages', target: slow },
  { name: 'invlpg', group: 'walks', title: 'INVLPG and a load', unit: 'pages', target: slow },
  { name: 'cr3', group: 'walks', title: 'CR3 switch and 8 pages', unit: 'switches', target: slow },
  { name: 'int', group: 'exceptions', title: 'INT n and IRET at CPL 0', unit: 'events', target: slow },
  { name: 'ud', group: 'exceptions', title: '#UD and IRET', unit: 'events', target: slow },
  { name: 'pf', group: 'exceptions', title: '#PF that maps a page', unit: 'events', target: slow },
  { name: 'user_int', group: 'exceptions', title: 'INT n from CPL 3', unit: 'events', target: slow },
  { name: 'syscall', group: 'exceptions', title: 'SYSCALL and SYSRET', unit: 'calls', target: slow },
  { name: 'vmexit', group: 'vm exits', title: 'CPUID in a guest with EPT', unit: 'exits', target: slow, vmx: true },
  { name: 'ports', group: 'ports', title: 'IN and OUT, three devices', unit: 'accesses', target: slow },
  { name: 'movs', group: 'strings', title: 'REP MOVS of 64 KiB', unit: 'bytes', native: true },
  { name: 'stos', group: 'strings', title: 'REP STOS of 64 KiB', unit: 'bytes', native: true },
  { name: 'short', group: 'strings', title: 'REP MOVSB of 5 to 36 bytes', unit: 'copies', native: true },
  { name: 'smc', group: 'rewriting', title: 'code that rewrites itself', unit: 'rewrites', native: true },
  { name: 'soak', group: 'soak', title: 'all kinds in turn', unit: 'rounds' },
];
